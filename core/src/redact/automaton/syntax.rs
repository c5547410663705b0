//! Patterns as rules write them: a subset of the `regex` crate's syntax, over bytes of normalised text.

use super::set::Set;
use crate::redact::normal::fold;

/// What a pattern says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Set(Set),
    All(Vec<Node>),
    Any(Vec<Node>),
    Repeat(Box<Node>, u32, Option<u32>),
}

/// What is wrong with a pattern, and at which of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub message: &'static str,
}

/// How deep groups may be nested.
const MAX_DEPTH: usize = 32;
/// How often something may be repeated at most, when it is counted.
const MAX_REPEAT: u32 = 512;

/// Reads a pattern. A `\b` at its beginning or end is taken as said: a match is bounded by words anyway.
pub(super) fn parse(pattern: &str) -> Result<Node, Fault> {
    let mut parser = Parser { pattern, at: 0, insensitive: false, depth: 0 };
    parser.accept("\\b");
    let node = parser.alternatives()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.fault("this parenthesis closes nothing")),
    }
}

struct Parser<'a> {
    pattern: &'a str,
    at: usize,
    insensitive: bool,
    depth: usize,
}

impl Parser<'_> {
    fn fault(&self, message: &'static str) -> Fault {
        Fault { at: self.at, message }
    }

    fn rest(&self) -> &str {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn accept(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn alternatives(&mut self) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault("groups are nested too deeply"));
        }
        // As in the regex crate, a flag that is set in a group ends with it.
        let insensitive = self.insensitive;
        let mut choices = vec![self.sequence()?];
        while self.accept("|") {
            choices.push(self.sequence()?);
        }
        self.insensitive = insensitive;
        self.depth -= 1;
        match choices.len() {
            1 => Ok(choices.pop().unwrap_or(Node::All(Vec::new()))),
            _ => Ok(Node::Any(choices)),
        }
    }

    fn sequence(&mut self) -> Result<Node, Fault> {
        let mut nodes = Vec::new();
        loop {
            if self.accept("(?i)") {
                self.insensitive = true;
                continue;
            }
            // The word boundary at the end.
            if self.rest() == "\\b" {
                self.at += 2;
            }
            match self.peek() {
                None | Some('|' | ')') => return Ok(Node::All(nodes)),
                Some(_) => {
                    let node = self.atom()?;
                    nodes.push(self.repeated(node)?);
                }
            }
        }
    }

    fn atom(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let fault = |message| Err(Fault { at: start, message });
        match self.next() {
            Some('(') => {
                let insensitive = self.insensitive;
                if self.accept("?i:") {
                    self.insensitive = true;
                } else if !self.accept("?:") && self.peek() == Some('?') {
                    return fault(
                        "of groups that begin with `(?`, there are only `(?:…)`, `(?i:…)` and `(?i)`",
                    );
                }
                let node = self.alternatives()?;
                self.insensitive = insensitive;
                match self.accept(")") {
                    true => Ok(node),
                    false => fault("this parenthesis is not closed"),
                }
            }
            Some('[') => self.class(start).map(Node::Set),
            Some('.') => Ok(Node::Set(Set::of(b"\n").negated())),
            Some('\\') => match self.escape(start)? {
                Escaped::Set(set) => Ok(Node::Set(set)),
                Escaped::Character(character) => Ok(self.literal(character)),
            },
            Some('*' | '+' | '?' | '{') => fault("there is nothing before it to repeat"),
            Some('^' | '$') => fault("`^` and `$` are not known: a match can stand anywhere"),
            Some(character) => Ok(self.literal(character)),
            None => fault("something is missing at the end"),
        }
    }

    fn literal(&self, character: char) -> Node {
        let folded = fold(character);
        let mut set = |byte: u8| {
            let set = Set::of(&[byte]);
            Node::Set(if self.insensitive { set.insensitive() } else { set })
        };
        match folded {
            Some(byte) => set(byte),
            None => {
                let mut bytes = [0; 4];
                Node::All(character.encode_utf8(&mut bytes).bytes().map(&mut set).collect())
            }
        }
    }

    fn repeated(&mut self, mut node: Node) -> Result<Node, Fault> {
        let mut repeats = 0;
        loop {
            let start = self.at;
            let (least, most) = match self.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => self.counts()?,
                _ => return Ok(node),
            };
            self.at += 1;
            repeats += 1;
            if repeats > 1 {
                let message = "one repetition follows another; a lazy one makes no difference here: the longest match counts";
                return Err(Fault { at: start, message });
            }
            node = Node::Repeat(Box::new(node), least, most);
        }
    }

    /// `{n}`, `{n,}` or `{n,m}`, up to its closing brace.
    fn counts(&mut self) -> Result<(u32, Option<u32>), Fault> {
        let start = self.at;
        let fault = |message| Err(Fault { at: start, message });
        self.at += 1;
        let Some(least) = self.number() else { return fault("this is no count: `{n}`, `{n,}` or `{n,m}`") };
        let most = match self.accept(",") {
            true if self.peek() == Some('}') => None,
            true => match self.number() {
                Some(most) => Some(most),
                None => return fault("this is no count: `{n}`, `{n,}` or `{n,m}`"),
            },
            false => Some(least),
        };
        if self.peek() != Some('}') {
            return fault("this is no count: `{n}`, `{n,}` or `{n,m}`");
        }
        if least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT) {
            return fault("it is repeated too often: 512 times is the most");
        }
        match most.is_some_and(|most| most < least) {
            true => fault("the smaller count comes first"),
            false => Ok((least, most)),
        }
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest().get(..digits)?.parse().ok()?;
        self.at += digits;
        Some(number)
    }

    fn class(&mut self, start: usize) -> Result<Set, Fault> {
        let negated = self.accept("^");
        let mut set = Set::default();
        let mut first = true;
        loop {
            let at = self.at;
            let low = match self.next() {
                None => return Err(Fault { at: start, message: "this bracket is not closed" }),
                Some(']') if !first => break,
                Some('[') => {
                    return Err(Fault { at, message: "write `\\[`: there are no classes within classes" });
                }
                Some('\\') => match self.escape(at)? {
                    Escaped::Set(other) => {
                        set = set.or(other);
                        first = false;
                        continue;
                    }
                    Escaped::Character(character) => character,
                },
                Some(character) => character,
            };
            first = false;
            let low = byte_of(low, at)?;
            let mut high = low;
            let dash = self.rest().starts_with('-') && !self.rest().starts_with("-]");
            if dash {
                self.at += 1;
                let at = self.at;
                high = match self.next() {
                    Some('\\') => match self.escape(at)? {
                        Escaped::Character(character) => byte_of(character, at)?,
                        Escaped::Set(_) => {
                            return Err(Fault { at, message: "a range ends with a character" });
                        }
                    },
                    Some(character) => byte_of(character, at)?,
                    None => return Err(Fault { at: start, message: "this bracket is not closed" }),
                };
                if high < low {
                    return Err(Fault { at, message: "this range ends before it begins" });
                }
            }
            set = set.or(Set::range(low, high));
        }
        if self.insensitive {
            set = set.insensitive();
        }
        Ok(if negated { set.negated() } else { set })
    }

    fn escape(&mut self, start: usize) -> Result<Escaped, Fault> {
        let fault = |message| Err(Fault { at: start, message });
        Ok(match self.next() {
            Some('d') => Escaped::Set(Set::digits()),
            Some('D') => Escaped::Set(Set::digits().negated()),
            Some('w') => Escaped::Set(Set::words()),
            Some('W') => Escaped::Set(Set::words().negated()),
            Some('s') => Escaped::Set(Set::spaces()),
            Some('S') => Escaped::Set(Set::spaces().negated()),
            Some('n') => Escaped::Character('\n'),
            Some('r') => Escaped::Character('\r'),
            Some('t') => Escaped::Character('\t'),
            Some('x') => {
                let code = self.rest().get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
                match code {
                    Some(code) if code.is_ascii() => {
                        self.at += 2;
                        Escaped::Character(char::from(code))
                    }
                    _ => return fault("`\\x` needs two hexadecimal digits, up to 7f"),
                }
            }
            Some('b' | 'B' | 'A' | 'z') => {
                return fault("`\\b` stands at the beginning or the end only; the others are not known");
            }
            Some('p' | 'P') => return fault("Unicode classes are not known"),
            Some('1'..='9') => return fault("references to groups are not known: they could not be fast"),
            Some(character) if character.is_ascii_punctuation() || character == ' ' => {
                Escaped::Character(character)
            }
            _ => return fault("this escape is not known"),
        })
    }
}

enum Escaped {
    Set(Set),
    Character(char),
}

fn byte_of(character: char, at: usize) -> Result<u8, Fault> {
    fold(character).ok_or(Fault {
        at,
        message: "a class holds ASCII only; write other letters as alternatives: (?:д|ж)",
    })
}
