//! Streams that are judged in windows, in every client's dialect, cut at every byte.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::exchange::events::Events;
use crate::exchange::{Exchange, Next, Portion, Reply};
use crate::guard::judge::Callout;
use crate::policy::Plan;
use crate::testing::streams::{Case, cases, client_gets, field};
use crate::testing::{NOW, plan_with, sent};

fn judge(name: &str, more: &Value) -> Value {
    let mut guard = json!({
        "name": name, "kind": "judge", "webhook": {"url": format!("http://{name}.test/")}, "on": ["response"],
        "stream": {"window": 50, "overlap": 10},
    });
    guard.as_object_mut().expect("is one").extend(more.as_object().expect("is one").clone());
    guard
}

fn plan(guards: &Value) -> Arc<Plan> {
    plan_with(&json!({"guards": guards}))
}

/// The texts that a judge is asked about.
fn texts(callout: &Callout) -> Vec<String> {
    let body: Value = serde_json::from_slice(&callout.body).expect("is JSON");
    let texts = body["texts"].as_array().expect("is a list");
    texts.iter().map(|text| text["text"].as_str().expect("is text").to_owned()).collect()
}

const ALLOW: Option<(u16, &[u8])> = Some((200, br#"{"action":"allow"}"#));
const REFUSE: Option<(u16, &[u8])> = Some((200, br#"{"action":"refuse"}"#));
const BROKEN: Option<(u16, &[u8])> = Some((500, b""));

/// What a judge answers to its texts.
type Verdict<'v> = dyn Fn(&str) -> Option<(u16, &'static [u8])> + 'v;

/// A client's stream under judges.
struct Run<'v> {
    exchange: Exchange,
    /// What a judge says of its texts; `None`: it has not answered yet.
    verdict: &'v Verdict<'v>,
    /// How many parts of the stream come before the judges answer.
    slow: usize,
    waiting: Option<(usize, Vec<Callout>)>,
    /// The texts of each question.
    asked: Vec<Vec<String>>,
    got: Vec<u8>,
    /// How much the client had after each part.
    had: Vec<usize>,
    ended: bool,
    instead: Option<Reply>,
}

impl Run<'_> {
    fn take(&mut self, mut portion: Portion, at_end: bool) {
        loop {
            assert!(!self.ended || portion.out.is_empty(), "nothing comes behind the end");
            self.got.append(&mut portion.out);
            match portion.next {
                Next::Go | Next::Hold => return,
                Next::Ended => return self.ended = true,
                Next::Instead(reply) => {
                    assert!(self.got.is_empty());
                    self.ended = true;
                    self.instead = Some(*reply);
                    return;
                }
                Next::Ask(callouts) => {
                    assert!(self.waiting.is_none(), "one question at a time");
                    self.asked.extend(callouts.iter().map(texts));
                    if self.slow > 0 && !at_end {
                        self.waiting = Some((self.slow, callouts));
                        return;
                    }
                    portion = self.answer(&callouts, true);
                }
            }
        }
    }

    fn answer(&mut self, callouts: &[Callout], sends: bool) -> Portion {
        for callout in callouts.iter().rev() {
            let said = texts(callout).join("\n");
            self.exchange.judged(callout.number, (self.verdict)(&said), NOW + Duration::from_millis(1));
        }
        self.exchange.take_judge_measures();
        self.exchange.rule_stream(sends, NOW)
    }

    fn part(&mut self, bytes: &[u8], is_end: bool) {
        if let Some((parts, callouts)) = self.waiting.take().filter(|_| !self.ended) {
            if parts > 1 && !is_end {
                self.waiting = Some((parts - 1, callouts));
            } else {
                let portion = self.answer(&callouts, false);
                self.take(portion, is_end);
            }
        }
        if !self.ended {
            let portion = self.exchange.judge_stream(bytes, is_end, NOW);
            self.take(portion, is_end);
        }
        self.had.push(self.got.len());
    }
}

fn run<'v>(
    case: &Case,
    plan: &Arc<Plan>,
    parts: &[impl AsRef<[u8]>],
    slow: usize,
    verdict: &'v Verdict<'v>,
) -> Run<'v> {
    let exchange = sent(plan, case.path, &case.body).expect("is served");
    assert!(exchange.is_answer_judged() && exchange.is_judged_in_windows());
    let (asked, got, had) = (Vec::new(), Vec::new(), Vec::new());
    let mut run =
        Run { exchange, verdict, slow, waiting: None, asked, got, had, ended: false, instead: None };
    for (number, part) in parts.iter().enumerate() {
        run.part(part.as_ref(), number + 1 == parts.len());
    }
    assert!(run.waiting.is_none());
    run
}

/// A client's stream with these pieces of text, as it comes to the listener.
fn stream(case: &Case, texts: &[&str]) -> String {
    client_gets(case, &plan(&json!([])), &[(case.stream)(texts).as_bytes()]).0
}

/// A stream event by event.
fn events(stream: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut events = Events::new(stream.starts_with('['));
    events.push(stream.as_bytes(), &mut |event| {
        all.push(event.to_vec());
        true
    });
    all
}

const PIECES: [&str; 8] = [
    "The first words of the ",
    "answer are plain and ",
    "long enough for a window, ",
    "and then some more of ",
    "them come that drag on ",
    "for another, a nightin",
    "gale sings to the end, ",
    "and nobody listens.",
];

#[test]
fn what_passes_is_the_same_wherever_it_is_cut() {
    let plan = plan(&json!([judge("a", &json!({}))]));
    let mut cases = cases();
    // Who has answered is not seen here.
    cases.dedup_by(|one, other| one.path == other.path);
    for case in cases {
        let stream = stream(&case, &[PIECES[0], &PIECES[1..3].concat(), "End."]);
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            let run = run(&case, &plan, &[&bytes[..cut], &bytes[cut..]], cut % 3, &|_| ALLOW);
            assert_eq!(String::from_utf8_lossy(&run.got), stream, "{} cut at {cut}", case.path);
            assert!(run.instead.is_none() && field(&run.exchange).is_empty());
        }
    }
}

#[test]
fn a_stream_flows_from_window_to_window() {
    let plan = plan(&json!([judge("a", &json!({}))]));
    for case in cases() {
        let stream = stream(&case, &PIECES);
        let events = events(&stream);
        for slow in 0..4 {
            let run = run(&case, &plan, &events, slow, &|_| ALLOW);
            assert_eq!(run.instead, None);
            assert_eq!(String::from_utf8_lossy(&run.got), stream);
            let steps: std::collections::BTreeSet<_> = run.had.iter().filter(|had| **had > 0).collect();
            assert!(run.instead.is_none(), "{:?}", run.instead);
            assert!(
                steps.len() >= 2 + usize::from(slow < 2) && run.had[0] == 0,
                "{} {slow}: {:?}",
                case.path,
                run.had
            );
            // Each question has what is new, behind the last characters of what came before.
            let whole = PIECES.concat();
            let mut told = String::new();
            for asked in &run.asked {
                let [asked] = asked.as_slice() else { panic!("one text: {asked:?}") };
                let overlap: String =
                    told.chars().rev().take(10).collect::<Vec<_>>().into_iter().rev().collect();
                told += asked.strip_prefix(&overlap).unwrap_or_else(|| panic!("{asked} behind {told}"));
                assert!(asked.len() >= 50 || told == whole, "{asked}");
            }
            assert_eq!(told, whole, "{}", case.path);
        }
    }
}

#[test]
fn nothing_of_a_flagged_window_goes_and_the_stream_ends_as_one_that_is_withheld() {
    let plan = plan(&json!([judge("a", &json!({}))]));
    let flags = |said: &str| if said.contains("nightingale") { REFUSE } else { ALLOW };
    for case in cases() {
        let stream = stream(&case, &PIECES);
        for slow in 0..3 {
            let run = run(&case, &plan, &events(&stream), slow, &flags);
            let got = String::from_utf8(run.got).expect("is text");
            let at = format!("{} {slow}: {got}", case.path);
            assert!(
                got.contains("The first words") && !got.contains("gale") && !got.contains("sings"),
                "{at}"
            );
            assert!(
                run.ended && run.instead.is_none() && got.contains(case.withheld) && got.ends_with(case.last),
                "{at}"
            );
            assert_eq!(field(&run.exchange), "a;refuse", "{at}");
            check_events(&got);
            for well in ["\"stop\"", "end_turn", "STOP", "response.completed"] {
                assert!(!got.contains(well), "{at}");
            }
        }
    }
}

/// Whether each event is JSON, and each block that begins ends.
fn check_events(got: &str) {
    if got.starts_with('[') {
        serde_json::from_str::<Value>(got).unwrap_or_else(|error| panic!("{got}: {error}"));
    }
    for data in got.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]") {
        serde_json::from_str::<Value>(data).unwrap_or_else(|error| panic!("{data}: {error}"));
    }
    assert_eq!(
        got.matches("content_block_start\"").count(),
        got.matches("content_block_stop\"").count(),
        "{got}"
    );
}

#[test]
fn where_nothing_has_gone_the_stream_fails_as_a_whole() {
    let guards = json!([judge("a", &json!({}))]);
    for (limits, flagged, status) in [(false, true, 400), (false, false, 503), (true, true, 502)] {
        let sections = match limits {
            true => json!({"guards": guards, "listen": {"max_body_bytes": 1024}}),
            false => json!({"guards": guards}),
        };
        let plan = plan_with(&sections);
        for case in cases() {
            let long = "word ".repeat(300);
            let stream = stream(&case, &["The first words of the answer are of a nightingale. ", &long]);
            let verdict = move |_: &str| if flagged { REFUSE } else { BROKEN };
            let run = run(&case, &plan, &events(&stream), if limits { 9 } else { 0 }, &verdict);
            let reply =
                run.instead.unwrap_or_else(|| panic!("{}: {}", case.path, String::from_utf8_lossy(&run.got)));
            assert_eq!(reply.status, status, "{}", case.path);
            assert!(!String::from_utf8_lossy(&reply.body).contains("first words"));
        }
    }
}

#[test]
fn a_window_without_a_verdict_is_the_policys() {
    let verdict = |said: &str| if said.contains("drag") { BROKEN } else { ALLOW };
    for case in cases() {
        let stream = stream(&case, &PIECES);
        let closed = plan(&json!([judge("a", &json!({}))]));
        let run_closed = run(&case, &closed, &events(&stream), 0, &verdict);
        let got = String::from_utf8(run_closed.got).expect("is text");
        assert!(
            got.contains("The first words") && got.contains("gives no verdict") && !got.contains("drag"),
            "{got}"
        );
        assert_eq!((run_closed.ended, field(&run_closed.exchange).as_str()), (true, "a;failed"));
        if got.starts_with('[') {
            serde_json::from_str::<Value>(&got).unwrap_or_else(|error| panic!("{got}: {error}"));
        }
        let open = plan(&json!([judge("a", &json!({"on_failure": "pass"}))]));
        let run_open = run(&case, &open, &events(&stream), 0, &verdict);
        assert_eq!(
            (String::from_utf8_lossy(&run_open.got).as_ref(), run_open.ended),
            (stream.as_str(), false)
        );
        assert_eq!(field(&run_open.exchange), "a;failed");
    }
}

#[test]
fn a_warning_lets_each_window_pass() {
    let plan = plan(&json!([judge("a", &json!({"action": "warn"}))]));
    let case = &cases()[0];
    let stream = stream(case, &PIECES);
    let run = run(case, &plan, &events(&stream), 0, &|_| REFUSE);
    assert_eq!(String::from_utf8_lossy(&run.got), stream);
    assert_eq!((run.asked.len() > 2, field(&run.exchange).as_str()), (true, "a;warn"));
}

#[test]
fn a_stream_that_is_shorter_than_a_window_is_asked_about_at_its_end() {
    let plan = plan(&json!([judge("a", &json!({}))]));
    for case in cases() {
        for (texts, questions) in [(&["Hel", "lo."][..], 1), (&[" "][..], 0)] {
            let stream = stream(&case, texts);
            let run = run(&case, &plan, &events(&stream), 0, &|_| ALLOW);
            assert_eq!(String::from_utf8_lossy(&run.got), stream, "{}", case.path);
            assert_eq!(run.asked.len(), questions, "{} {texts:?} {:?}", case.path, run.asked);
        }
    }
}

#[test]
fn the_largest_window_counts_and_each_judge_has_its_own_overlap() {
    let plan = plan(&json!([
        judge("a", &json!({"stream": {"window": 50, "overlap": 0}})),
        judge("b", &json!({"stream": {"window": 90, "overlap": 30}})),
    ]));
    let case = &cases()[0];
    let stream = stream(case, &PIECES);
    let run = run(case, &plan, &events(&stream), 0, &|_| ALLOW);
    let (first, second): (Vec<_>, Vec<_>) =
        run.asked.chunks(2).map(|asked| (asked[0].concat(), asked[1].concat())).unzip();
    assert_eq!(first.concat(), PIECES.concat());
    assert!(first[0].len() >= 90 && first.len() == 2, "{first:?}");
    assert_eq!(second[0], first[0]);
    assert_eq!(second[1], format!("{}{}", &first[0][first[0].len() - 30..], first[1]));
}

#[test]
fn one_that_wants_the_whole_stream_has_it_whole() {
    let plan = plan(&json!([judge("a", &json!({})), judge("b", &json!({"stream": "hold"}))]));
    let case = &cases()[0];
    let exchange = sent(&plan, case.path, &case.body).expect("is served");
    assert!(exchange.is_answer_judged() && !exchange.is_judged_in_windows());
    let mut whole = case.body.clone();
    whole["stream"] = false.into();
    assert!(!sent(&plan, case.path, &whole).expect("is served").is_judged_in_windows());
}

#[test]
fn choices_and_calls_of_tools_have_overlaps_of_their_own() {
    let chunk = |index: u32, delta: Value| {
        let chunk = json!({"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": null}]});
        format!("data: {chunk}\n\n")
    };
    let call = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
    let stream = [
        chunk(0, json!({"content": "The one says this at some length, "})),
        chunk(1, json!({"content": "while the other says that at length: "})),
        chunk(0, call("{\"query\": \"what is sung of in the ")),
        chunk(0, json!({"content": "and goes on with it for a while, "})),
        chunk(0, call("night, in the gale?\"}")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let plan = plan(&json!([judge("a", &json!({}))]));
    let case = &cases()[0];
    let parts: Vec<_> = stream.iter().map(|event| event.as_bytes()).collect();
    let run = run(case, &plan, &parts, 0, &|_| ALLOW);
    assert_eq!(String::from_utf8_lossy(&run.got), stream.concat());
    assert_eq!(
        run.asked,
        [
            vec!["The one says this at some length, ", "while the other says that at length: "],
            vec!["e length, and goes on with it for a while, ", "{\"query\": \"what is sung of in the "],
            vec!["of in the night, in the gale?\"}"],
        ]
    );
}

#[test]
fn what_says_nothing_keeps_its_place() {
    let plan = plan(&json!([judge("a", &json!({}))]));
    let case = &cases()[0];
    let chunk =
        |text: &str| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}));
    let long = chunk(&"word ".repeat(12));
    let stream = [
        ": first\n\n".to_owned(),
        long.clone(),
        ": second\n\n".to_owned(),
        chunk("a few"),
        ": third\n\n".to_owned(),
        chunk(" more."),
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n".to_owned(),
        "data: [DONE]\n\n".to_owned(),
        ": last\n\n".to_owned(),
    ];
    let parts: Vec<_> = stream.iter().map(|event| event.as_bytes()).collect();
    let run = run(case, &plan, &parts, 0, &|_| ALLOW);
    assert_eq!(String::from_utf8_lossy(&run.got), stream.concat());
    let upto = |events: usize| stream[..events].concat().len();
    // Nothing before the first verdict; what says nothing waits only for what is before it.
    assert_eq!(run.had, [0, upto(2), upto(3), upto(3), upto(3), upto(3), upto(3), upto(8), upto(9)]);
}

#[test]
fn an_event_that_can_not_be_read_has_no_verdict() {
    let chunk =
        |text: &str| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}));
    let case = &cases()[0];
    for broken in [&b"data: {]\n\n"[..], b"data: \xff\n\n"] {
        let parts = [chunk(&"word ".repeat(12)), chunk("more"), chunk(&"and more ".repeat(9))];
        let parts =
            [parts[0].as_bytes(), parts[1].as_bytes(), broken, parts[2].as_bytes(), b"data: [DONE]\n\n"];
        let closed = run(case, &plan(&json!([judge("a", &json!({}))])), &parts, 0, &|_| ALLOW);
        let got = String::from_utf8(closed.got).expect("is text");
        assert!(got.contains("guard_unavailable") && !got.contains("more"), "{got}");
        let open = plan(&json!([judge("a", &json!({"on_failure": "pass"}))]));
        let open = run(case, &open, &parts, 0, &|_| ALLOW);
        assert_eq!(open.got, parts.concat());
        assert_eq!(open.asked.len(), 2, "{:?}", open.asked);
    }
}

/// A policy with redaction of what leaves the mesh; `answers` says whether answers are masked for clients too.
fn masking(answers: &str) -> Arc<Plan> {
    plan_with(&json!({
        "guards": [judge("a", &json!({"stream": {"window": 50, "overlap": 60}}))],
        "redaction": {"rules": ["credit_card", "email", {"rule": "iban", "action": "block"}], "response": answers},
    }))
}

#[test]
fn no_judge_gets_a_part_of_a_value_that_is_cut_by_a_window() {
    let plan = masking("off");
    let case = &cases()[0];
    let text = "Nothing of interest here. The card is 4111 1111 1111 1111, and the mail goes to jane.doe@example.com as it should, always.";
    for length in 1..9 {
        let pieces: Vec<_> = text
            .as_bytes()
            .chunks(length)
            .map(|piece| std::str::from_utf8(piece).expect("is text"))
            .collect();
        let stream = stream(case, &pieces);
        let run = run(case, &plan, &events(&stream), 0, &|_| ALLOW);
        assert_eq!(String::from_utf8_lossy(&run.got), stream);
        let asked = run.asked.concat();
        assert!(asked.len() > 1, "{asked:?}");
        for asked in &asked {
            assert!(
                !asked.contains("11") && !asked.contains("jane") && !asked.contains("example"),
                "{length}: {asked}"
            );
        }
        assert!(asked.iter().any(|asked| asked.contains("[CREDIT_CARD]")), "{asked:?}");
    }
}

#[test]
fn a_judge_that_may_not_have_a_value_is_asked_no_more() {
    let case = &cases()[0];
    let mut pieces = PIECES.to_vec();
    pieces.insert(3, "DE89 3704 0044 0532 0130 00, ");
    let stream = stream(case, &pieces);
    let run = run(case, &masking("off"), &events(&stream), 0, &|_| ALLOW);
    assert!(run.ended && !String::from_utf8_lossy(&run.got).contains("3704"));
    assert!(!run.asked.concat().concat().contains("3704"), "{:?}", run.asked);
    assert_eq!(field(&run.exchange), "a;failed");
}

proptest! {
    /// Any bytes come out as they went in, in order, where every window passes.
    #[test]
    fn any_bytes_pass_unchanged(
        parts in proptest::collection::vec(prop_oneof![
            any::<Vec<u8>>(),
            Just(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"some words, and some more \"}}]}\n\n".to_vec()),
            Just(b"data: [DONE]\n\n".to_vec()),
            Just(b"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"so many words are said here\"}]}}]},".to_vec()),
        ], 1..12),
        slow in 0_usize..4,
        which in 0_usize..11,
    ) {
        let plan = plan(&json!([judge("a", &json!({"on_failure": "pass"}))]));
        let cases = cases();
        let case = &cases[which % cases.len()];
        let slices: Vec<_> = parts.iter().map(Vec::as_slice).collect();
        let run = run(case, &plan, &slices, slow, &|_| ALLOW);
        prop_assert_eq!(run.got, parts.concat());
    }
}
