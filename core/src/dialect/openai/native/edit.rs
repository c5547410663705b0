//! Edits of a JSON text that leave every other byte as it is.

use std::borrow::Cow;
use std::ops::Range;

use crate::dialect::presets::Quirk;
use crate::json::{self, Raw, Text, object};

/// What is to be done with the fields at some path; `[]` in it stands for each of a list.
#[derive(Debug)]
pub(super) struct Rule<'r> {
    pub(super) path: &'static str,
    pub(super) action: Action<'r>,
}

#[derive(Debug)]
pub(super) enum Action<'r> {
    /// Another value.
    Replace(Cow<'r, str>),
    /// The value that comes of the one that is there; `None` leaves it.
    Change(fn(Raw<'_>) -> Option<String>),
    /// Another name.
    Rename(&'static str),
    /// Out, without a word.
    Remove,
    /// Out; where its value asks for something, that is told.
    Lack,
}

/// A JSON text with the edits that were found for it.
#[derive(Debug)]
pub(super) struct Edits<'a> {
    body: &'a [u8],
    edits: Vec<(Range<usize>, Cow<'a, str>)>,
    /// The paths of what was taken out and asked for something.
    pub(super) lacks: Vec<String>,
}

/// A member of an object, with its place in the text: its name's quote to its value's end.
#[derive(Debug)]
struct Member<'a> {
    name: Text<'a>,
    value: Raw<'a>,
    place: Range<usize>,
}

impl<'r> Rule<'r> {
    /// What a quirk asks of a native body.
    pub(super) fn of(quirk: Quirk) -> Option<Self> {
        let (path, action) = match quirk {
            Quirk::Rename(from, to) => (from, Action::Rename(to)),
            Quirk::Lacks(path) => (path, Action::Lack),
            Quirk::Omits(path) => (path, Action::Remove),
            // These are about what the gateway writes itself.
            Quirk::Takes(_) | Quirk::Within(_) | Quirk::JoinsTexts | Quirk::ShortCallIds => return None,
        };
        Some(Self { path, action })
    }
}

impl<'a> Edits<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, edits: Vec::new(), lacks: Vec::new() }
    }

    /// Finds what the rules ask of the whole text; `None` when it can't be read.
    pub(super) fn apply(&mut self, rules: &[Rule<'a>]) -> Option<()> {
        let text = std::str::from_utf8(self.body).ok()?;
        self.object(text, "", "", rules)
    }

    /// Asks for the usage of a stream at its end; `None` when it is asked for already.
    pub(super) fn include_usage(&mut self) -> Option<()> {
        const ASKED: &str = "\"include_usage\":true";
        let text = std::str::from_utf8(self.body).ok()?;
        let members = self.members(text)?;
        let find = |name: &str| members.iter().find(|member| &*member.name == name);
        let Some(options) = find("stream_options") else {
            let end = find("stream")?.place.end;
            self.edits.push((end..end, Cow::Owned(format!(",\"stream_options\":{{{ASKED}}}"))));
            return Some(());
        };
        let value = options.value.get();
        if value == "null" {
            self.replace(options.value, Cow::Owned(format!("{{{ASKED}}}")));
            return Some(());
        }
        let inner = self.members(value)?;
        match inner.iter().find(|member| &*member.name == "include_usage") {
            Some(member) if member.value.get() == "true" => return None,
            Some(member) => self.replace(member.value, Cow::Borrowed("true")),
            None => {
                let start = self.place(value)? + 1;
                let comma = if inner.is_empty() { "" } else { "," };
                self.edits.push((start..start, Cow::Owned(format!("{ASKED}{comma}"))));
            }
        }
        Some(())
    }

    /// The edited text; `None` when nothing changes.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        if self.edits.is_empty() {
            return None;
        }
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut edited = Vec::with_capacity(self.body.len() + 128);
        let mut from = 0;
        for (range, new) in self.edits {
            edited.extend_from_slice(self.body.get(from..range.start)?);
            edited.extend_from_slice(new.as_bytes());
            from = range.end;
        }
        edited.extend_from_slice(self.body.get(from..)?);
        Some(edited)
    }

    /// `pattern`: the path of the object as rules have it, `path`: as the client would say it; both end in a dot, but at
    /// the root.
    fn object(&mut self, object: &'a str, pattern: &str, path: &str, rules: &[Rule<'a>]) -> Option<()> {
        let members = self.members(object)?;
        let mut kept = false;
        let mut before = None;
        for (position, member) in members.iter().enumerate() {
            let own = format!("{pattern}{}", member.name);
            let rule = rules.iter().find(|rule| rule.path == own);
            let mut out = false;
            match rule.map(|rule| &rule.action) {
                None => self.inside(member.value, &own, &format!("{path}{}", member.name), rules),
                Some(Action::Replace(new)) => self.replace(member.value, new.clone()),
                Some(Action::Change(change)) => {
                    if let Some(new) = change(member.value) {
                        self.replace(member.value, Cow::Owned(new));
                    }
                }
                Some(Action::Rename(to)) if members.iter().all(|other| &*other.name != *to) => {
                    let name = self.name(member)?;
                    self.edits.push((name, Cow::Owned(format!("\"{to}\""))));
                }
                Some(Action::Remove) => out = true,
                // What has the other name already can't have it twice.
                Some(Action::Lack | Action::Rename(_)) => {
                    out = true;
                    if !asks_for_nothing(&member.name, member.value.get()) {
                        self.lacks.push(format!("{path}{}", member.name));
                    }
                }
            }
            if out {
                let place = member.place.clone();
                let place = match (kept, before, members.get(position + 1)) {
                    // Together with the comma before it.
                    (true, Some(end), _) => end..place.end,
                    // Nothing stands before it, but perhaps something behind.
                    (_, _, Some(next)) => place.start..next.place.start,
                    _ => place,
                };
                self.edits.push((place, Cow::Borrowed("")));
            }
            kept |= !out;
            before = Some(member.place.end);
        }
        Some(())
    }

    /// What rules ask of a value's own fields.
    fn inside(&mut self, value: Raw<'a>, pattern: &str, path: &str, rules: &[Rule<'a>]) {
        let leads = |start: &str| rules.iter().any(|rule| rule.path.starts_with(start));
        if leads(&format!("{pattern}.")) {
            // What is no object has none of the fields.
            let _ = self.object(value.get(), &format!("{pattern}."), &format!("{path}."), rules);
        }
        if leads(&format!("{pattern}[].")) {
            let items: Vec<Raw<'a>> = json::read(value.get().as_bytes()).unwrap_or_default();
            for (position, item) in items.into_iter().enumerate() {
                let path = format!("{path}[{position}].");
                let _ = self.object(item.get(), &format!("{pattern}[]."), &path, rules);
            }
        }
    }

    fn members(&self, object: &'a str) -> Option<Vec<Member<'a>>> {
        object! {
            struct Entries<'a> {
                ..others
            }
        }
        let entries: Entries<'a> = json::read(object.as_bytes()).ok()?;
        let mut end = self.place(object)? + object.find('{')? + 1;
        let mut members = Vec::with_capacity(entries.others.len());
        for (name, value) in entries.others {
            let gap = self.body.get(end..)?;
            let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',');
            let start = end + gap.iter().take_while(|byte| is_between(byte)).count();
            end = self.place(value.get())? + value.get().len();
            members.push(Member { name, value, place: start..end });
        }
        Some(members)
    }

    /// The place of a member's name, with its quotes.
    fn name(&self, member: &Member<'_>) -> Option<Range<usize>> {
        let mut escaped = false;
        for (position, byte) in
            self.body.iter().enumerate().take(member.place.end).skip(member.place.start + 1)
        {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return Some(member.place.start..position + 1),
                _ => {}
            }
        }
        None
    }

    fn replace(&mut self, value: Raw<'a>, new: Cow<'a, str>) {
        if let Some(start) = self.place(value.get()) {
            self.edits.push((start..start + value.get().len(), new));
        }
    }

    /// The place of a text that is borrowed from the body.
    fn place(&self, text: &str) -> Option<usize> {
        let start = (text.as_ptr() as usize).checked_sub(self.body.as_ptr() as usize)?;
        (start + text.len() <= self.body.len()).then_some(start)
    }
}

/// Whether a field may be left out without a word, because its value is what happens without it.
fn asks_for_nothing(name: &str, value: &str) -> bool {
    match (name, value) {
        (_, "null" | "\"\"" | "[]" | "{}") => true,
        ("logprobs" | "store" | "top_logprobs", "false" | "0") => true,
        ("presence_penalty" | "frequency_penalty", "0" | "0.0") => true,
        ("tool_choice", "\"auto\"") | ("n", "1") | ("parallel_tool_calls", "true") => true,
        ("verbosity", "\"medium\"") | ("service_tier", "\"auto\"") => true,
        ("modalities", value) => value.split_ascii_whitespace().collect::<String>() == r#"["text"]"#,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(path: &'static str, action: Action<'static>) -> Rule<'static> {
        Rule { path, action }
    }

    fn edited(body: &str, rules: &[Rule<'static>]) -> (String, Vec<String>) {
        let body = body.to_owned();
        let mut edits = Edits::new(body.as_bytes());
        // The rules of these tests borrow nothing.
        edits.apply(rules).expect("is an object");
        let lacks = edits.lacks.clone();
        let new = edits.finish().map(|bytes| String::from_utf8(bytes).expect("is text"));
        (new.unwrap_or(body), lacks)
    }

    #[test]
    fn fields_are_taken_out_with_one_comma() {
        let rules = || [rule("a", Action::Remove), rule("b", Action::Remove)];
        for (body, expected) in [
            (r#"{"a":1,"b":2,"c":3}"#, r#"{"c":3}"#),
            (r#"{"c" : 3 , "a":1, "b":2 }"#, r#"{"c" : 3 }"#),
            (r#"{ "a":1, "c":3,  "b":2}"#, r#"{ "c":3}"#),
            (r#"{"a":1,"b":2}"#, "{}"),
            (r#"{"c":3,"a":1,"d":4,"b":{"a":","}}"#, r#"{"c":3,"d":4}"#),
            (r#"{"\u0061":1,"c":"\",\""}"#, r#"{"c":"\",\""}"#),
            (r#"{"c":3}"#, r#"{"c":3}"#),
        ] {
            assert_eq!(edited(body, &rules()).0, expected);
        }
    }

    #[test]
    fn lists_are_gone_through_and_what_is_missed_is_told() {
        let body = r#"{"m":[{"n":"x","k":1},{"k":2},{"k":3,"n":null}],"seed":7}"#;
        let rules = [rule("m[].n", Action::Lack), rule("seed", Action::Rename("random_seed"))];
        let (new, lacks) = edited(body, &rules);
        assert_eq!(new, r#"{"m":[{"k":1},{"k":2},{"k":3}],"random_seed":7}"#);
        assert_eq!(lacks, ["m[0].n"]);
        let both = edited(r#"{"seed":7,"random_seed":8}"#, &rules);
        assert_eq!(both, (r#"{"random_seed":8}"#.to_owned(), vec!["seed".to_owned()]));
    }

    #[test]
    fn usage_is_asked_for_once() {
        let asked = |body: &str| {
            let mut edits = Edits::new(body.as_bytes());
            edits.include_usage()?;
            edits.finish().map(|bytes| String::from_utf8(bytes).expect("is text"))
        };
        for (body, expected) in [
            (r#"{"stream":true}"#, Some(r#"{"stream":true,"stream_options":{"include_usage":true}}"#)),
            (
                r#"{"stream" : true , "x":1}"#,
                Some(r#"{"stream" : true,"stream_options":{"include_usage":true} , "x":1}"#),
            ),
            (
                r#"{"stream_options":null,"stream":true}"#,
                Some(r#"{"stream_options":{"include_usage":true},"stream":true}"#),
            ),
            (
                r#"{"stream_options":{ "x":1},"stream":true}"#,
                Some(r#"{"stream_options":{"include_usage":true, "x":1},"stream":true}"#),
            ),
            (
                r#"{"stream_options":{},"stream":true}"#,
                Some(r#"{"stream_options":{"include_usage":true},"stream":true}"#),
            ),
            (
                r#"{"stream_options":{"include_usage": false},"stream":true}"#,
                Some(r#"{"stream_options":{"include_usage": true},"stream":true}"#),
            ),
            (r#"{"stream_options":{"include_usage":true},"stream":true}"#, None),
        ] {
            assert_eq!(asked(body).as_deref(), expected);
        }
    }

    proptest! {
        #[test]
        fn an_edited_object_is_an_object_without_the_fields(
            names in prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "\\u0061", "q\\\""]), 0..8),
            space in prop::sample::select(vec!["", " ", "\n\t"]),
        ) {
            let members: Vec<_> =
                names.iter().map(|name| format!("{space}\"{name}\"{space}:{space}[{{}},\",\"]")).collect();
            let body = format!("{{{}{space}}}", members.join(&format!("{space},")));
            let (new, _) = edited(&body, &[rule("a", Action::Remove), rule("b", Action::Lack)]);
            let value: serde_json::Value = serde_json::from_str(&new).expect("is JSON");
            let object = value.as_object().expect("is an object");
            prop_assert!(!object.contains_key("a") && !object.contains_key("b"));
            prop_assert_eq!(object.contains_key("c"), names.contains(&"c"));
        }
    }
}
