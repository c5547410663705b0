//! Finds out which value of a JSON document a place in its text belongs to.

use std::fmt::Write as _;

/// The path of the value that was being read when the parser stopped at this line and column, both as [`serde_json::Error`]
/// has them; empty for the document as a whole.
///
/// `judged_late`: whether the value was judged when it had been read already. The parser may have read the end of the object
/// around it by then. Looking for the path only when something is wrong, in the text alone, keeps the readers of the types
/// small.
pub(super) fn path_at(text: &[u8], line: usize, column: usize, judged_late: bool) -> String {
    let start = text
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let read = text.get(..start.saturating_add(column)).unwrap_or(text);
    let read = if judged_late { read.strip_suffix(b"}").unwrap_or(read) } else { read };
    let mut walk = Walk { stack: Vec::new(), last: String::new(), state: State::Value };
    walk.through(read);
    walk.path()
}

/// Where a walk through a document is.
struct Walk {
    stack: Vec<Frame>,
    /// The path of the value that ended last.
    last: String,
    state: State,
}

enum Frame {
    /// The key of the field that is read, and whether there is one.
    Object(Option<String>),
    /// The position of the element that is read.
    Array(usize),
}

#[derive(PartialEq)]
enum State {
    /// A value comes next.
    Value,
    /// A key comes next.
    Key,
    /// A key has ended.
    AfterKey,
    /// A value has ended.
    AfterValue,
}

impl Walk {
    fn through(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'{' => {
                    self.stack.push(Frame::Object(None));
                    self.state = State::Key;
                }
                b'[' => {
                    self.stack.push(Frame::Array(0));
                    self.state = State::Value;
                }
                b'}' | b']' => {
                    self.stack.pop();
                    self.end_value();
                }
                b':' => self.state = State::Value,
                b',' => match self.stack.last_mut() {
                    Some(Frame::Array(index)) => {
                        *index += 1;
                        self.state = State::Value;
                    }
                    Some(Frame::Object(key)) => {
                        *key = None;
                        self.state = State::Key;
                    }
                    None => {}
                },
                b'"' => {
                    let (string, after) = end_of_string(rest);
                    rest = after;
                    self.string(string);
                }
                _ => {
                    let length = rest.iter().take_while(|byte| is_of_scalar(**byte)).count();
                    rest = rest.get(length..).unwrap_or_default();
                    self.end_value();
                }
            }
        }
    }

    fn string(&mut self, string: &[u8]) {
        match (&self.state, self.stack.last_mut()) {
            (State::Key, Some(Frame::Object(key))) => {
                let quoted = [b"\"", string, b"\""].concat();
                *key = Some(serde_json::from_slice(&quoted).unwrap_or_default());
                self.state = State::AfterKey;
            }
            _ => self.end_value(),
        }
    }

    fn end_value(&mut self) {
        self.last = render(&self.stack);
        self.state = State::AfterValue;
    }

    fn path(self) -> String {
        match self.state {
            State::Value => render(&self.stack),
            State::AfterValue => self.last,
            // The fault is the object's: a key that stands there twice.
            State::Key | State::AfterKey => {
                let outer = self.stack.len().saturating_sub(1);
                render(self.stack.get(..outer).unwrap_or_default())
            }
        }
    }
}

fn render(stack: &[Frame]) -> String {
    let mut path = String::new();
    for frame in stack {
        match frame {
            Frame::Object(Some(key)) if path.is_empty() => path.push_str(key),
            Frame::Object(Some(key)) => {
                path.push('.');
                path.push_str(key);
            }
            Frame::Object(None) => {}
            // Writing to a String can't fail.
            Frame::Array(index) => drop(write!(path, "[{index}]")),
        }
    }
    path
}

fn is_of_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// What is behind an opening quote, up to the closing one, and what is behind that.
fn end_of_string(text: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let end = text.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    });
    let end = end.unwrap_or(text.len());
    (text.get(..end).unwrap_or_default(), text.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path where the parser stops right behind the mark `|`.
    fn path(text: &str) -> String {
        let (before, after) = text.split_once('|').expect("a mark");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().len();
        path_at(format!("{before}{after}").as_bytes(), line, column, false)
    }

    #[test]
    fn a_value_that_is_judged_late_is_inside_of_what_was_read() {
        let text = br#"{"a": {"b": [1] } , "c": 2}"#;
        assert_eq!(path_at(text, 1, 17, true), "a.b");
        assert_eq!(path_at(text, 1, 15, true), "a.b");
    }

    #[test]
    fn the_value_that_is_read_or_was_read_last() {
        for (text, expected) in [
            (r#"{"a": 1|, "b": 2}"#, "a"),
            (r#"{"a": |{"b": 2}}"#, "a"),
            (r#"{"a": {"b": |[1]}}"#, "a.b"),
            ("{\"a\":\n [1, {\"b\": \"x\\\"]\"|}]}", "a[1].b"),
            (r#"{"a": [1, 2|]}"#, "a[1]"),
            (r#"{"a": [|1, 2]}"#, "a[0]"),
            (r#"{"a": {"b": 1}|}"#, "a"),
            (r#"{"a": [{"b": 1, "b"|: 2}]}"#, "a[0]"),
            (r#"{"\u0061 \"b": null|}"#, "a \"b"),
            (r#"|"x""#, ""),
            (r#"[[], [[1.5e-3|]]]"#, "[1][0][0]"),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }
}
