//! Adds texts of the policy's own to the system prompt of a request, wherever its dialect has that.

use std::ops::Range;

use super::tape::{Kind, Node, Tape};
use crate::dialect::{ClientDialect, malformed};
use crate::failure::Failure;

/// The body with texts before and behind its system prompt; an empty one adds nothing. `None` where the dialect has no system
/// prompt that a model would read.
///
/// # Errors
/// The body is no JSON, or is a prompt of tokens, to which no text can be added.
pub fn add_system(
    dialect: ClientDialect,
    body: &[u8],
    before: &str,
    behind: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    use ClientDialect as Client;
    let tape = Tape::read(body).map_err(malformed)?;
    let added = Added { tape: &tape, before, behind };
    let edits = match dialect {
        Client::OpenAiChat => added.to_messages(),
        Client::OpenAiResponses => added.to_text("instructions"),
        Client::OpenAiCompletions => added.to_prompt()?,
        Client::Anthropic | Client::AnthropicTokens => added.to_blocks("system", 0, r#""type":"text","#),
        Client::Gemini => added.to_parts(0),
        Client::GeminiTokens => match tape.member(0, "generateContentRequest") {
            Some((request, _)) => added.to_parts(request),
            // Only contents are counted then, and no system prompt could be said.
            None => Vec::new(),
        },
        Client::OpenAiEmbeddings | Client::CohereRerank | Client::JinaRerank => Vec::new(),
    };
    Ok(tape.edited(edits))
}

type Edits = Vec<(Range<usize>, String)>;

struct Added<'t> {
    tape: &'t Tape<'t>,
    before: &'t str,
    behind: &'t str,
}

impl Added<'_> {
    /// A text with what is added to it, as JSON.
    fn around(&self, text: &str) -> String {
        let all = [self.before, text, self.behind].into_iter().filter(|text| !text.is_empty());
        quoted(&all.collect::<Vec<_>>().join("\n\n"))
    }

    /// Adds a member in front of an object's others.
    fn member(&self, object: usize, name: &str, value: &str) -> Edits {
        let is_object = |node: &Node| node.kind == Kind::Object;
        let Some(node) = self.tape.node(object).filter(is_object) else { return Vec::new() };
        let comma = if self.tape.children(object).next().is_some() { "," } else { "" };
        let start = self.tape.span(node).start + 1;
        vec![(start..start, format!("\"{name}\":{value}{comma}"))]
    }

    /// Items in front of a list's `after`th and behind those.
    fn items(&self, list: Node, number: usize, after: usize, item: impl Fn(&str) -> String) -> Edits {
        let span = self.tape.span(list);
        let items: Vec<_> = self.tape.children(number).map(|(_, node)| self.tape.span(node)).collect();
        let mut edits = Vec::new();
        if !self.before.is_empty() {
            let comma = if items.is_empty() { "" } else { "," };
            edits.push((span.start + 1..span.start + 1, format!("{}{comma}", item(self.before))));
        }
        if !self.behind.is_empty() {
            let edit = match after.checked_sub(1).and_then(|last| items.get(last)) {
                Some(last) => (last.end..last.end, format!(",{}", item(self.behind))),
                None => {
                    // Where both stand in front, the first one has come already.
                    let comma = if items.is_empty() { "" } else { "," };
                    let between = if items.is_empty() && !edits.is_empty() { "," } else { "" };
                    (span.start + 1..span.start + 1, format!("{between}{}{comma}", item(self.behind)))
                }
            };
            edits.push(edit);
        }
        edits
    }

    fn to_messages(&self) -> Edits {
        let Some((number, list)) =
            self.tape.member(0, "messages").filter(|(_, node)| node.kind == Kind::List)
        else {
            return Vec::new();
        };
        let is_system = |(message, _): &(usize, Node)| {
            matches!(self.tape.text_of(*message, "role").as_deref(), Some("system" | "developer"))
        };
        let leading = self.tape.children(number).take_while(is_system).count();
        self.items(list, number, leading, |text| format!(r#"{{"role":"system","content":{}}}"#, quoted(text)))
    }

    fn to_text(&self, name: &str) -> Edits {
        match self.tape.member(0, name) {
            Some((_, node)) if node.kind == Kind::String => {
                vec![(self.tape.span(node), self.around(&self.tape.string(node)))]
            }
            Some((_, node)) => vec![(self.tape.span(node), self.around(""))],
            None => self.member(0, name, &self.around("")),
        }
    }

    /// `start`: what each block begins with.
    fn to_blocks(&self, name: &str, object: usize, start: &str) -> Edits {
        match self.tape.member(object, name) {
            Some((number, node)) if node.kind == Kind::List => {
                let count = self.tape.children(number).count();
                self.items(node, number, count, |text| format!(r#"{{{start}"text":{}}}"#, quoted(text)))
            }
            _ if object == 0 && name == "system" => self.to_text(name),
            _ => self.member(object, name, &format!(r#"[{{"text":{}}}]"#, self.around(""))),
        }
    }

    fn to_parts(&self, request: usize) -> Edits {
        match self.tape.member(request, "systemInstruction") {
            Some((instruction, node)) if node.kind == Kind::Object => {
                match self.tape.member(instruction, "parts") {
                    Some((_, part)) if part.kind == Kind::Object => {
                        let part = self.tape.raw(part).to_owned();
                        let around = [self.before, self.behind].map(|text| match text {
                            "" => String::new(),
                            text => format!(r#"{{"text":{}}}"#, quoted(text)),
                        });
                        let [before, behind] = around;
                        let parts: Vec<_> =
                            [before, part, behind].into_iter().filter(|part| !part.is_empty()).collect();
                        let span =
                            self.tape.member(instruction, "parts").map(|(_, node)| self.tape.span(node));
                        span.map(|span| (span, format!("[{}]", parts.join(",")))).into_iter().collect()
                    }
                    _ => self.to_blocks("parts", instruction, ""),
                }
            }
            Some((_, node)) if node.kind == Kind::String => {
                let text = self.around(&self.tape.string(node));
                vec![(self.tape.span(node), format!(r#"{{"parts":[{{"text":{text}}}]}}"#))]
            }
            Some((_, node)) => {
                vec![(self.tape.span(node), format!(r#"{{"parts":[{{"text":{}}}]}}"#, self.around("")))]
            }
            None => {
                let value = format!(r#"{{"parts":[{{"text":{}}}]}}"#, self.around(""));
                self.member(request, "systemInstruction", &value)
            }
        }
    }

    /// A completion has one text: the prompt itself.
    fn to_prompt(&self) -> Result<Edits, Failure> {
        let Some((number, prompt)) = self.tape.member(0, "prompt") else {
            return Ok(self.member(0, "prompt", &self.around("")));
        };
        let around = |node: Node| (self.tape.span(node), self.around(&self.tape.string(node)));
        match prompt.kind {
            Kind::String => Ok(vec![around(prompt)]),
            Kind::List if self.tape.children(number).all(|(_, node)| node.kind == Kind::String) => {
                Ok(self.tape.children(number).map(|(_, node)| around(node)).collect())
            }
            _ => Err(Failure::invalid_value("prompt", "has to be text: the policy adds text to it")),
        }
    }
}

fn quoted(text: &str) -> String {
    // A text always serialises.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(dialect: ClientDialect, body: &str) -> String {
        let added = add_system(dialect, body.as_bytes(), "one", "two").expect("can be added");
        String::from_utf8(added.expect("something was added")).expect("is text")
    }

    #[test]
    fn texts_stand_around_the_clients_own() {
        use ClientDialect as Client;
        let system = |text: &str| format!(r#"{{"role":"system","content":"{text}"}}"#);
        let user = r#"{"role":"user","content":"hi"}"#;
        let (one, own, two) = (system("one"), system("own"), system("two"));
        for (client, body, expected) in [
            (
                Client::OpenAiChat,
                format!(r#"{{"model":"m","messages":[{own}, {user}],"n":1e0}}"#),
                format!(r#"{{"model":"m","messages":[{one},{own},{two}, {user}],"n":1e0}}"#),
            ),
            (
                Client::OpenAiChat,
                format!(r#"{{"messages":[{user}]}}"#),
                format!(r#"{{"messages":[{one},{two},{user}]}}"#),
            ),
            (
                Client::OpenAiResponses,
                r#"{"input":"hi","instructions":"own"}"#.to_owned(),
                r#"{"input":"hi","instructions":"one\n\nown\n\ntwo"}"#.to_owned(),
            ),
            (
                Client::OpenAiResponses,
                r#"{"instructions":null}"#.to_owned(),
                r#"{"instructions":"one\n\ntwo"}"#.to_owned(),
            ),
            (
                Client::Anthropic,
                r#"{"system":[{"type":"text","text":"own","cache_control":{"type":"ephemeral"}}]}"#.to_owned(),
                r#"{"system":[{"type":"text","text":"one"},{"type":"text","text":"own","cache_control":{"type":"ephemeral"}},{"type":"text","text":"two"}]}"#.to_owned(),
            ),
            (Client::Anthropic, r#"{"a":1}"#.to_owned(), r#"{"system":"one\n\ntwo","a":1}"#.to_owned()),
            (Client::Anthropic, r#"{"system":[]}"#.to_owned(), r#"{"system":[{"type":"text","text":"one"},{"type":"text","text":"two"}]}"#.to_owned()),
            (
                Client::Gemini,
                r#"{"system_instruction":{"parts":[{"text":"own"}]}}"#.to_owned(),
                r#"{"system_instruction":{"parts":[{"text":"one"},{"text":"own"},{"text":"two"}]}}"#.to_owned(),
            ),
            (
                Client::Gemini,
                r#"{"systemInstruction":{"parts":{"text":"own"}}}"#.to_owned(),
                r#"{"systemInstruction":{"parts":[{"text":"one"},{"text":"own"},{"text":"two"}]}}"#.to_owned(),
            ),
            (
                Client::Gemini,
                r#"{"contents":[]}"#.to_owned(),
                r#"{"systemInstruction":{"parts":[{"text":"one\n\ntwo"}]},"contents":[]}"#.to_owned(),
            ),
            (
                Client::OpenAiCompletions,
                r#"{"prompt":["a","b"]}"#.to_owned(),
                r#"{"prompt":["one\n\na\n\ntwo","one\n\nb\n\ntwo"]}"#.to_owned(),
            ),
        ] {
            assert_eq!(added(client, &body), expected, "{client:?} {body}");
        }
    }

    #[test]
    fn whatever_stands_there_the_body_stays_json() {
        let values = [
            "null",
            "1",
            "true",
            "\"a\"",
            "[]",
            "[1]",
            "[\"a\",{}]",
            "[[]]",
            "[{\"role\":\"system\"}]",
            "{}",
            "{\"parts\":null}",
            "{\"parts\":[]}",
            "{\"parts\":{}}",
            "{\"parts\":\"a\"}",
            "{\"systemInstruction\":[]}",
        ];
        let names =
            ["messages", "instructions", "system", "systemInstruction", "prompt", "generateContentRequest"];
        for client in ClientDialect::ALL {
            for (name, value) in names.iter().flat_map(|name| values.map(|value| (name, value))) {
                for (before, behind) in [("one", ""), ("", "two"), ("one", "two"), ("\"", "\\\n")] {
                    let body = format!("{{ \"{name}\" : {value} }}");
                    let Ok(Some(changed)) = add_system(client, body.as_bytes(), before, behind) else {
                        continue;
                    };
                    let read = serde_json::from_slice::<serde_json::Value>(&changed);
                    let changed = String::from_utf8_lossy(&changed);
                    assert!(read.is_ok(), "{client:?} {body} became {changed}");
                    let plain =
                        |text: &str| text.is_empty() || changed.contains(quoted(text).trim_matches('"'));
                    assert!(plain(before) && plain(behind), "{client:?} {body} became {changed}");
                }
            }
        }
        for client in ClientDialect::ALL {
            for body in ["[]", "1", "\"a\"", "null"] {
                let changed = add_system(client, body.as_bytes(), "one", "two").ok().flatten();
                assert!(
                    changed.is_none_or(|body| serde_json::from_slice::<serde_json::Value>(&body).is_ok()),
                    "{client:?}"
                );
            }
        }
    }

    #[test]
    fn tokens_get_no_text() {
        let refused = add_system(ClientDialect::OpenAiCompletions, br#"{"prompt":[1,2]}"#, "one", "");
        assert_eq!(refused.expect_err("is refused").parameter.as_deref(), Some("prompt"));
    }
}
