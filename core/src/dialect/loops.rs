//! Agents' loops: what a model of any vendor says comes back in the client's next request, and what a client says reaches every vendor.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Asked, Call, ClientDialect, Encoded, Lacks, ProviderDialect, Wanted};
use crate::conversation::{
    Answer, Choice, Event, Finish, Maker, Part, Place, Reasoning, Role, Signature, ToolCall,
};
use crate::json::Text;
use crate::policy::{Endpoint, Provider};
use crate::task::{Outcome, Task};

/// The clients that hold conversations, each with its path and the name that the test cases have for it.
const CLIENTS: [(&str, &str); 4] = [
    ("openai_chat", "/v1/chat/completions"),
    ("openai_responses", "/v1/responses"),
    ("anthropic", "/v1/messages"),
    ("gemini", "/v1beta/models/m:generateContent"),
];

/// Something that a model says.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Text(String),
    /// Thinking that is shown, signed or not.
    Thought(String, Option<Maker>),
    /// Thinking that only its maker can read.
    Hidden(Maker),
    Call {
        name: String,
        arguments: Value,
        signed: Option<Maker>,
    },
}

fn words() -> impl Strategy<Value = String> {
    "[a-zé🎉\"\\\\\n \u{2028}]{1,12}"
}

fn arguments() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        words().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(json!(null)),
        Just(json!([1.5, {"deep": [true]}])),
    ];
    prop::collection::btree_map(words(), value, 0..3).prop_map(|fields| fields.into_iter().collect())
}

/// What models of one vendor say, in the ways that it has for what it signs and hides.
fn answer() -> impl Strategy<Value = Vec<Said>> {
    let of_vendor = |maker: Option<Maker>| {
        let call = move |signed: bool| {
            ("[a-z]{1,6}", arguments()).prop_map(move |(name, arguments)| Said::Call {
                name,
                arguments,
                signed: maker.filter(|_| signed),
            })
        };
        let text = words().prop_map(Said::Text);
        let thought = words().prop_map(move |words| match maker {
            Some(Maker::Gemini) => Said::Thought(words, None),
            maker => Said::Thought(words, maker),
        });
        let special = match maker {
            Some(Maker::Gemini) => call(true).boxed(),
            Some(maker) => Just(Said::Hidden(maker)).boxed(),
            None => call(false).boxed(),
        };
        prop::collection::vec(prop_oneof![text, thought, special, call(false)], 1..7)
    };
    let vendors =
        [None, Some(Maker::Anthropic), Some(Maker::Bedrock), Some(Maker::Gemini), Some(Maker::OpenAi)];
    prop::sample::select(vendors.to_vec()).prop_flat_map(of_vendor).prop_map(|mut said| {
        // Neighbours of one kind are one.
        said.dedup_by_key(|said| std::mem::discriminant(&*said));
        said
    })
}

fn signature(maker: Maker) -> Signature<'static> {
    Signature { maker, value: Text::from("c2ln") }
}

fn call(position: usize, name: &str, arguments: String, signed: Option<Maker>) -> ToolCall<'static> {
    ToolCall {
        id: Text::from(format!("call_{position}")),
        name: Text::from(name.to_owned()),
        arguments: Text::from(arguments),
        custom: false,
        signature: signed.map(signature),
        at: Place::default(),
    }
}

fn parts(said: &[Said]) -> Vec<Part<'static>> {
    let part = |(position, said): (usize, &Said)| match said {
        Said::Text(text) => Part::Text(Text::from(text.clone())),
        Said::Thought(text, maker) => Part::Reasoning(Reasoning {
            text: Text::from(text.clone()),
            signature: maker.map(signature),
            ..Reasoning::default()
        }),
        Said::Hidden(maker) => {
            Part::Reasoning(Reasoning { hidden: Some(signature(*maker)), ..Reasoning::default() })
        }
        Said::Call { name, arguments, signed } => {
            Part::ToolCall(call(position, name, arguments.to_string(), *signed))
        }
    };
    said.iter().enumerate().map(part).collect()
}

/// The same as the events of a stream, each text in pieces of `size` characters.
fn events(said: &[Said], size: usize) -> Vec<Event<'static>> {
    let pieces = |text: &str| {
        let characters: Vec<char> = text.chars().collect();
        let pieces = characters.chunks(size).map(|piece| Text::from(piece.iter().collect::<String>()));
        pieces.collect::<Vec<_>>()
    };
    let mut events = vec![Event::Start { id: Some("r".into()), model: None }];
    let mut calls = 0;
    for (position, said) in said.iter().enumerate() {
        match said {
            Said::Text(text) => {
                events.extend(pieces(text).into_iter().map(|text| Event::Text { choice: 0, text }));
            }
            Said::Thought(text, maker) => {
                events.extend(pieces(text).into_iter().map(|text| Event::Reasoning { choice: 0, text }));
                let signed = maker.map(|maker| Event::Signature { choice: 0, signature: signature(maker) });
                events.extend(signed);
            }
            Said::Hidden(maker) => {
                events.push(Event::HiddenReasoning { choice: 0, hidden: signature(*maker) })
            }
            Said::Call { name, arguments, signed } => {
                let tool = call(position, name, String::new(), *signed);
                events.push(Event::ToolCall { choice: 0, call: calls, tool });
                let json = pieces(&arguments.to_string());
                events.extend(json.into_iter().map(|json| Event::Arguments { choice: 0, call: calls, json }));
                calls += 1;
            }
        }
    }
    events.extend([Event::Finish { choice: 0, finish: finish(said), stop: None }, Event::End]);
    events
}

fn finish(said: &[Said]) -> Finish {
    match said.iter().any(|said| matches!(said, Said::Call { .. })) {
        true => Finish::ToolCalls,
        false => Finish::Stop,
    }
}

/// An answer as a client sends it back.
fn next_request(client: &str, answer: &Value) -> Value {
    match client {
        "openai_chat" => {
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}, answer["choices"][0]["message"]]})
        }
        "openai_responses" => {
            let mut input = vec![json!({"role": "user", "content": "x"})];
            input.extend(answer["output"].as_array().expect("items").iter().cloned());
            json!({"model": "m", "input": input})
        }
        "anthropic" => json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": "x"}, {"role": "assistant", "content": answer["content"]}]}),
        _ => {
            json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}, answer["candidates"][0]["content"]]})
        }
    }
}

fn call_of(path: &str) -> Call {
    Call::of("POST", path).expect("is served")
}

/// What the assistant has said, as a request has it, and the ids of its calls.
fn said_again(path: &str, request: &Value) -> (Vec<Said>, Vec<String>) {
    let (call, body) = (call_of(path), request.to_string());
    let task =
        ClientDialect::decode(&call, body.as_bytes()).unwrap_or_else(|failure| panic!("{failure:?}: {body}"));
    assert!(task.others().is_empty(), "{:?}", task.others());
    let messages = &task.conversation().expect("is one").messages;
    let own = messages.iter().filter(|message| message.role == Role::Assistant);
    let maker = |signature: &Signature<'_>| {
        assert_eq!(&*signature.value, "c2ln");
        signature.maker
    };
    let (mut said, mut ids) = (Vec::new(), Vec::new());
    for part in own.flat_map(|message| &message.parts) {
        match part {
            Part::Text(text) => said.push(Said::Text(text.to_string())),
            Part::Reasoning(reasoning) => {
                if !reasoning.text.is_empty() || reasoning.signature.is_some() {
                    let signed = reasoning.signature.as_ref().map(maker);
                    said.push(Said::Thought(reasoning.text.to_string(), signed));
                }
                said.extend(reasoning.hidden.as_ref().map(|hidden| Said::Hidden(maker(hidden))));
            }
            Part::ToolCall(call) => {
                ids.push(call.id.to_string());
                said.push(Said::Call {
                    name: call.name.to_string(),
                    arguments: serde_json::from_str(&call.arguments).expect("is JSON"),
                    signed: call.signature.as_ref().map(maker),
                });
            }
            other => panic!("{other:?}"),
        }
    }
    (said, ids)
}

/// What a chat completion has places for: one text of thinking, which nobody has signed, one text, and calls.
fn as_chat(said: &[Said]) -> Vec<Said> {
    let joined = |text: fn(&Said) -> Option<&str>| said.iter().filter_map(text).collect::<String>();
    let thought = joined(|said| if let Said::Thought(text, _) = said { Some(text) } else { None });
    let text = joined(|said| if let Said::Text(text) = said { Some(text) } else { None });
    let calls = said.iter().filter(|said| matches!(said, Said::Call { .. })).cloned();
    let thought = (!thought.is_empty()).then_some(Said::Thought(thought, None));
    thought.into_iter().chain((!text.is_empty()).then_some(Said::Text(text))).chain(calls).collect()
}

/// A turn of an agent's loop: what it is asked, what it says, and the calls with what came of them.
#[derive(Clone, Debug)]
struct Turn {
    asked: String,
    said: Option<String>,
    calls: Vec<(Value, String, bool)>,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let calls = prop::collection::vec((arguments(), words(), any::<bool>()), 0..4);
    let turn = (words(), prop::option::of(words()), calls);
    let turn = turn.prop_map(|(asked, said, calls)| Turn {
        // Somebody has to answer.
        said: if calls.is_empty() { said.or(Some("Well.".to_owned())) } else { said },
        asked,
        calls,
    });
    prop::collection::vec(turn, 1..4)
}

/// The loop as a client of a dialect sends it, in the form in which a provider of the same dialect gets it; at its end stands a question.
fn request(client: &str, turns: &[Turn]) -> Value {
    let id = |turn: usize, call: usize| format!("call_{turn}_{call}");
    let mut all = Vec::new();
    // Neighbours of one role are one message where the dialect has them so.
    let mut tail: Vec<Value> = Vec::new();
    for (number, turn) in turns.iter().enumerate() {
        let calls = || turn.calls.iter().enumerate();
        match client {
            "openai_chat" => {
                all.push(json!({"role": "user", "content": turn.asked}));
                let written: Vec<_> = calls().map(|(call, (arguments, ..))| json!({
                    "id": id(number, call), "type": "function", "function": {"name": "f", "arguments": arguments.to_string()}
                })).collect();
                let mut message = json!({"role": "assistant", "content": turn.said});
                if !written.is_empty() {
                    message["tool_calls"] = json!(written);
                }
                all.push(message);
                all.extend(calls().map(|(call, (_, result, _))| json!({"role": "tool", "tool_call_id": id(number, call), "content": result})));
            }
            "openai_responses" => {
                all.push(json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": turn.asked}]}));
                all.push(json!({"type": "reasoning", "id": format!("rs_{number}"), "summary": [], "encrypted_content": "gAAA"}));
                all.extend(
                    turn.said
                        .iter()
                        .map(|said| json!({"type": "message", "role": "assistant", "content": said})),
                );
                all.extend(calls().map(|(call, (arguments, ..))| json!({"type": "function_call", "call_id": id(number, call), "name": "f", "arguments": arguments.to_string()})));
                all.extend(calls().map(|(call, (_, result, _))| {
                    json!({"type": "function_call_output", "call_id": id(number, call),
                    "output": [{"type": "input_text", "text": result}]})
                }));
            }
            "anthropic" => {
                tail.push(
                    json!({"type": "text", "text": turn.asked, "cache_control": {"type": "ephemeral"}}),
                );
                all.push(json!({"role": "user", "content": std::mem::take(&mut tail)}));
                let mut content = vec![
                    json!({"type": "thinking", "thinking": "Hm.", "signature": "EqoB"}),
                    json!({"type": "redacted_thinking", "data": "Emw"}),
                ];
                content.extend(turn.said.iter().map(|said| json!({"type": "text", "text": said})));
                content.extend(calls().map(|(call, (arguments, ..))| json!({"type": "tool_use", "id": id(number, call), "name": "f", "input": arguments})));
                all.push(json!({"role": "assistant", "content": content}));
                tail.extend(calls().map(|(call, (_, result, failed))| {
                    let mut block = json!({"type": "tool_result", "tool_use_id": id(number, call), "content": [{"type": "text", "text": result}]});
                    if *failed {
                        block["is_error"] = json!(true);
                    }
                    block
                }));
            }
            _ => {
                all.push(json!({"role": "user", "parts": [{"text": turn.asked}]}));
                let mut parts = vec![json!({"text": "Hm.", "thought": true, "thoughtSignature": "QUJD"})];
                parts.extend(turn.said.iter().map(|said| json!({"text": said})));
                parts.extend(calls().map(|(call, (arguments, ..))| {
                    let mut part =
                        json!({"functionCall": {"id": id(number, call), "name": "f", "args": arguments}});
                    if call == 0 {
                        part["thoughtSignature"] = json!("REVG");
                    }
                    part
                }));
                all.push(json!({"role": "model", "parts": parts}));
                let results: Vec<_> = calls().map(|(call, (_, result, failed))| {
                    let key = if *failed { "error" } else { "output" };
                    json!({"functionResponse": {"id": id(number, call), "name": "f", "response": {key: result}}})
                }).collect();
                if !results.is_empty() {
                    all.push(json!({"role": "user", "parts": results}));
                }
            }
        }
    }
    match client {
        "openai_chat" => {
            all.push(json!({"role": "user", "content": "Go on."}));
            json!({"model": "m", "messages": all})
        }
        "openai_responses" => {
            all.push(json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]}));
            json!({"model": "m", "input": all})
        }
        "anthropic" => {
            tail.push(json!({"type": "text", "text": "Go on."}));
            all.push(json!({"role": "user", "content": tail}));
            json!({"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": all})
        }
        _ => {
            all.push(json!({"role": "user", "parts": [{"text": "Go on."}]}));
            json!({"contents": all})
        }
    }
}

/// A request as a provider gets it, and what it lacks of it. `counts`: whether its tokens are asked for only.
fn written(
    path: &str,
    request: &Value,
    provider: ProviderDialect,
    model: &str,
    counts: bool,
) -> (Value, Lacks) {
    let (call, body) = (call_of(path), request.to_string());
    let task =
        ClientDialect::decode(&call, body.as_bytes()).unwrap_or_else(|failure| panic!("{failure:?}: {body}"));
    let task = match task {
        Task::Conversation(request) if counts => Task::CountTokens(request),
        task => task,
    };
    let mut provider = Provider::for_tests(provider);
    if counts {
        provider.endpoint = Endpoint::parse("https://api.openai.com/v1").expect("is an address");
    }
    let wanted = Wanted { model, default_max_tokens: None, provider: &provider };
    let mut lacks = Lacks::new(call.dialect);
    let Encoded { body: written, .. } = provider
        .dialect
        .encode(&task, wanted, &mut lacks)
        .unwrap_or_else(|failure| panic!("{failure:?} of {body}"));
    (serde_json::from_slice(&written).expect("is JSON"), lacks)
}

/// Every text in a value, and in the JSON that stands in texts.
fn texts(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => texts(&inner, all),
            _ => all.push(text.clone()),
        },
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(fields) => {
            for (name, value) in fields {
                all.push(name.clone());
                texts(value, all);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_a_model_says_comes_back(said in answer(), size in 1_usize..9) {
        for (client, path) in CLIENTS {
            let dialect = call_of(path).dialect;
            let asked = || Asked { model: "m".to_owned(), stream_usage: true, ..Asked::default() };
            let choice = Choice { index: 0, parts: parts(&said), finish: finish(&said), stop: None, logprobs: None };
            let answer = Answer { id: Some("r".into()), choices: vec![choice], ..Answer::default() };
            let whole = dialect.encode(&Outcome::Conversation(answer), &asked(), 7).expect("is written");
            let whole: Value = serde_json::from_slice(&whole).expect("is JSON");
            let mut stream = dialect.stream(asked(), 7).expect("streams");
            let mut bytes = Vec::new();
            for event in events(&said, size) {
                stream.event(event, &mut bytes);
            }
            let streamed = test_cases::matrix::fold(client, &bytes);
            for (way, answer) in [("whole", whole), ("streamed", streamed)] {
                let (again, ids) = said_again(path, &next_request(client, &answer));
                let expected = if client == "openai_chat" { as_chat(&said) } else { said.clone() };
                prop_assert_eq!(&again, &expected, "{} {}: {}", client, way, answer);
                let calls = said.iter().enumerate().filter(|(_, said)| matches!(said, Said::Call { .. }));
                let expected: Vec<_> = calls.map(|(position, _)| format!("call_{position}")).collect();
                prop_assert_eq!(ids, expected);
            }
        }
    }

    #[test]
    fn a_loop_reaches_its_own_vendor_as_it_was(turns in turns()) {
        for (client, path) in CLIENTS {
            let sent = request(client, &turns);
            let (provider, model, counts, list) = match client {
                "openai_chat" => (ProviderDialect::OpenAi, "gpt-5.5", false, "messages"),
                // Nobody is written a Responses request to but who counts its tokens: the input is the same.
                "openai_responses" => (ProviderDialect::OpenAi, "gpt-5.5", true, "input"),
                "anthropic" => (ProviderDialect::Anthropic, "claude-sonnet-4-6", false, "messages"),
                _ => (ProviderDialect::Gemini, "gemini-3-pro", false, "contents"),
            };
            let (got, lacks) = written(path, &sent, provider, model, counts);
            prop_assert_eq!(&got[list], &sent[list], "{}", client);
            prop_assert_eq!(lacks, Lacks::new(call_of(path).dialect));
        }
    }

    #[test]
    fn a_loop_reaches_every_vendor(turns in turns()) {
        for (client, path) in CLIENTS {
            let sent = request(client, &turns);
            for (provider, model) in [
                (ProviderDialect::OpenAi, "gpt-5.5"),
                (ProviderDialect::AzureOpenAi, "deployment"),
                (ProviderDialect::Anthropic, "claude-sonnet-4-6"),
                (ProviderDialect::Gemini, "gemini-3-pro"),
                (ProviderDialect::Vertex, "gemini-3-pro"),
                (ProviderDialect::Vertex, "claude-sonnet-4-6"),
                (ProviderDialect::Bedrock, "eu.anthropic.claude-sonnet-4-6"),
                (ProviderDialect::Bedrock, "us.meta.llama3-3-70b-instruct-v1:0"),
                (ProviderDialect::Cohere, "command-a-03-2025"),
            ] {
                let (got, lacks) = written(path, &sent, provider, model, false);
                prop_assert!(lacks.parameters().is_empty() && lacks.contents().is_empty(), "{:?}", lacks);
                let failed = turns.iter().flat_map(|turn| &turn.calls).filter(|(_, _, failed)| *failed).count();
                let is_named = |name: &&String| name.ends_with(".is_error") || name.ends_with(".error");
                let named = lacks.omissions().iter().filter(is_named).count();
                let tells = matches!(client, "anthropic" | "gemini");
                let hears = !matches!(provider, ProviderDialect::OpenAi | ProviderDialect::AzureOpenAi) && !model.contains("llama");
                prop_assert_eq!(named, if tells && !hears { failed } else { 0 });
                let mut found = Vec::new();
                texts(&got, &mut found);
                let mut wanted = Vec::new();
                for turn in &turns {
                    wanted.push(turn.asked.clone());
                    wanted.extend(turn.said.clone());
                    for (arguments, result, _) in &turn.calls {
                        texts(arguments, &mut wanted);
                        wanted.push(result.clone());
                    }
                }
                for text in wanted {
                    prop_assert!(found.iter().any(|found| found.contains(&text)), "{} at {:?} has lost {:?}: {}", client, provider, text, got);
                }
            }
        }
    }
}
