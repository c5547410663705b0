//! The strings and numbers of a JSON text, masked so that it stays JSON.

use super::masker::Masker;
use super::normal::Escapes;
use super::session::Session;

/// Masks JSON in whatever pieces it comes, such as a tool's arguments.
///
/// Strings are masked where they stand, with their escapes; names of members too. A number that is masked becomes a string.
/// No other byte changes. Names are context to their values. A text that is no object, array or string is masked as text.
#[derive(Debug)]
pub struct JsonMasker {
    masker: Masker,
    state: State,
    /// How many objects and lists are open.
    depth: usize,
    /// A number, or something else that isn't a string, as far as it has come.
    bare: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but white space has come.
    Before,
    /// The text isn't JSON that could be kept.
    Text,
    Between,
    /// In a string, and whether the next character is escaped.
    String {
        escaped: bool,
    },
    Bare,
}

impl Default for JsonMasker {
    fn default() -> Self {
        Self { masker: Masker::new(Escapes::Json), state: State::Before, depth: 0, bare: String::new() }
    }
}

impl JsonMasker {
    /// Takes more of the text; adds to `out` what is settled by it.
    pub fn push(&mut self, session: &mut Session, text: &str, out: &mut String) {
        let mut start = 0;
        for (at, byte) in text.bytes().enumerate() {
            let upto = |end: usize| text.get(start..end).unwrap_or_default();
            match self.state {
                State::Before => match byte {
                    b' ' | b'\t' | b'\n' | b'\r' => {}
                    b'{' | b'[' => {
                        self.state = State::Between;
                        self.depth = 1;
                    }
                    b'"' => {
                        self.masker.pass(upto(at + 1), out);
                        start = at + 1;
                        self.state = State::String { escaped: false };
                    }
                    _ => {
                        self.masker = Masker::new(Escapes::Text);
                        self.state = State::Text;
                    }
                },
                State::Text => break,
                State::Between => match byte {
                    b'"' => {
                        self.masker.pass(upto(at + 1), out);
                        start = at + 1;
                        self.state = State::String { escaped: false };
                    }
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.close(),
                    b':' | b',' | b' ' | b'\t' | b'\n' | b'\r' => {}
                    // No JSON goes on like this, so it can only be text.
                    _ if !b"-0123456789tfn".contains(&byte) => {
                        self.masker.pass(upto(at), out);
                        start = at;
                        self.masker = Masker::new(Escapes::Text);
                        self.state = State::Text;
                    }
                    _ => {
                        self.masker.pass(upto(at), out);
                        start = at;
                        self.state = State::Bare;
                    }
                },
                State::String { escaped: true } => self.state = State::String { escaped: false },
                State::String { .. } => match byte {
                    b'\\' => self.state = State::String { escaped: true },
                    b'"' => {
                        self.masker.end(session, upto(at), out);
                        start = at;
                        self.state = State::Between;
                    }
                    _ => {}
                },
                State::Bare => {
                    if self.bare.len() + at - start >= MAX_BARE && text.is_char_boundary(at) {
                        self.bare.push_str(upto(at));
                        start = at;
                        self.end_bare(session, out, false);
                    }
                    let upto = |end: usize| text.get(start..end).unwrap_or_default();
                    if matches!(
                        byte,
                        b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"' | b' ' | b'\t' | b'\n' | b'\r'
                    ) {
                        self.bare.push_str(upto(at));
                        self.end_bare(session, out, true);
                        start = at;
                        self.state = State::Between;
                        match byte {
                            b'{' | b'[' => self.depth += 1,
                            b'}' | b']' => self.close(),
                            _ => {}
                        }
                        if byte == b'"' {
                            self.masker.pass("\"", out);
                            start = at + 1;
                            self.state = State::String { escaped: false };
                        }
                    }
                }
            }
        }
        let rest = text.get(start..).unwrap_or_default();
        match self.state {
            State::Before | State::Between => self.masker.pass(rest, out),
            State::Text | State::String { .. } => self.masker.push(session, rest, out),
            State::Bare => self.bare.push_str(rest),
        }
    }

    /// The text has come to its end; adds the rest to `out`.
    pub fn finish(&mut self, session: &mut Session, out: &mut String) {
        if self.state == State::Bare {
            self.end_bare(session, out, true);
        }
        self.masker.finish(session, out);
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.bare.len() + self.masker.held()
    }

    /// Behind the end of a whole value may come another one, or text.
    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            self.state = State::Before;
        }
    }

    fn end_bare(&mut self, session: &mut Session, out: &mut String, quoted: bool) {
        let bare = std::mem::take(&mut self.bare);
        let context = self.masker.context();
        let mut masked = String::new();
        self.masker.end(session, &bare, &mut masked);
        match quoted && masked != bare {
            true => {
                self.masker.quote(context);
                out.extend(["\"", &masked, "\""]);
            }
            false => out.push_str(&masked),
        }
    }
}

/// How long a number can be. What is longer is none, and nothing is lost for JSON when it is masked in parts.
const MAX_BARE: usize = 1 << 16;
