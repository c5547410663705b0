//! A JSON text as a list of its values with their places, so that siblings can be looked up and every other byte stays.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use crate::json::{self, Fault, Raw};

/// The values of a JSON text, each behind the one that it is in.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub kind: Kind,
    /// The object or list that it is in; itself for the root.
    pub parent: usize,
    /// Where its name stands, without quotation marks; empty in a list.
    key: (usize, usize),
    /// Its place in a list.
    position: usize,
    /// Where it stands.
    start: usize,
    end: usize,
    /// The next value that is not within this one.
    pub next: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    List,
    String,
    /// A number, `true`, `false` or `null`.
    Bare,
}

impl<'a> Tape<'a> {
    /// Reads a whole JSON text; it is judged by the same parser as everywhere.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let raw: Raw<'a> = json::read(bytes)?;
        let mut tape = Self { text: raw.get(), nodes: Vec::new() };
        tape.fill();
        Ok(tape)
    }

    /// Follows a text that is known to be JSON.
    fn fill(&mut self) {
        let bytes = self.text.as_bytes();
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut key = None;
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let within = open.last().and_then(|(parent, _)| self.nodes.get(*parent)).map(|node| node.kind);
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' => at += 1,
                b'}' | b']' => {
                    at += 1;
                    if let Some((node, _)) = open.pop() {
                        self.close(node, at);
                    }
                }
                b'{' | b'[' => {
                    let kind = if *byte == b'{' { Kind::Object } else { Kind::List };
                    let node = self.add(kind, &mut open, key.take(), at, at);
                    open.push((node, 0));
                    at += 1;
                }
                b'"' => {
                    let end = end_of_string(bytes, at + 1);
                    match (within, key) {
                        (Some(Kind::Object), None) => key = Some((at + 1, end - 1)),
                        _ => drop(self.add(Kind::String, &mut open, key.take(), at, end)),
                    }
                    at = end;
                }
                _ => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let length = rest.iter().take_while(|byte| !b" \t\r\n,]}".contains(byte)).count().max(1);
                    self.add(Kind::Bare, &mut open, key.take(), at, at + length);
                    at += length;
                }
            }
        }
    }

    fn add(
        &mut self,
        kind: Kind,
        open: &mut [(usize, usize)],
        key: Option<(usize, usize)>,
        start: usize,
        end: usize,
    ) -> usize {
        let number = self.nodes.len();
        let (parent, position) = match open.last_mut() {
            Some((parent, count)) => {
                *count += 1;
                (*parent, *count - 1)
            }
            None => (number, 0),
        };
        let key = key.unwrap_or_default();
        self.nodes.push(Node { kind, parent, key, position, start, end, next: number + 1 });
        number
    }

    fn close(&mut self, node: usize, end: usize) {
        let next = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(node) {
            (node.end, node.next) = (end, next);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, number: usize) -> Option<Node> {
        self.nodes.get(number).copied()
    }

    /// The name of a value in its object; empty in a list and for the root.
    pub(super) fn key(&self, node: Node) -> Cow<'a, str> {
        let raw = self.text.get(node.key.0..node.key.1).unwrap_or_default();
        unescape(raw)
    }

    /// A value as it stands.
    pub(super) fn raw(&self, node: Node) -> &'a str {
        self.text.get(node.start..node.end).unwrap_or_default()
    }

    /// The text of a string.
    pub(super) fn string(&self, node: Node) -> Cow<'a, str> {
        let raw = self.raw(node);
        unescape(raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default())
    }

    /// Where a value stands in the text.
    pub(super) fn span(&self, node: Node) -> Range<usize> {
        node.start..node.end
    }

    /// Where a member of an object stands, with its name and the comma that parts it from another.
    pub(super) fn span_of_member(&self, object: usize, number: usize) -> Range<usize> {
        // The quotation mark before its name.
        let start = |node: Node| node.key.0.saturating_sub(1);
        let Some(node) = self.node(number) else { return 0..0 };
        let next = self.children(object).find(|(other, _)| *other > number);
        let before = self.children(object).take_while(|(other, _)| *other < number).last();
        match (next, before) {
            (Some((_, next)), _) => start(node)..start(next),
            (None, Some((_, before))) => before.end..node.end,
            (None, None) => start(node)..node.end,
        }
    }

    /// The members of an object, or the items of a list.
    pub(super) fn children(&self, parent: usize) -> impl Iterator<Item = (usize, Node)> {
        let end = self.nodes.get(parent).map_or(0, |node| node.next);
        let mut at = parent + 1;
        std::iter::from_fn(move || {
            let number = at;
            let node = (number < end).then(|| self.nodes.get(number).copied())??;
            at = node.next;
            Some((number, node))
        })
    }

    /// A member of an object by its name; the last where it is there more than once.
    pub(super) fn member(&self, object: usize, name: &str) -> Option<(usize, Node)> {
        self.children(object).filter(|(_, node)| same_name(&self.key(*node), name)).last()
    }

    /// A member that is a string.
    pub(super) fn text_of(&self, object: usize, name: &str) -> Option<Cow<'a, str>> {
        let (_, node) = self.member(object, name)?;
        (node.kind == Kind::String).then(|| self.string(node))
    }

    /// The path of a value from the root. Items of lists are told by their place, or `by_index` by what they say of it themselves.
    pub(super) fn path(&self, number: usize, by_index: bool) -> String {
        let mut chain = Vec::new();
        let mut number = number;
        while let Some(node) = self.node(number).filter(|node| node.parent != number) {
            chain.push((number, node));
            number = node.parent;
        }
        let mut path = String::new();
        for (number, node) in chain.into_iter().rev() {
            match self.node(node.parent).map(|parent| parent.kind) {
                Some(Kind::List) => {
                    let own = self.member(number, "index").filter(|_| by_index);
                    let own = own.and_then(|(_, node)| self.raw(node).parse().ok());
                    // Writing to a String can't fail.
                    let _ = write!(path, "[{}]", own.unwrap_or(node.position));
                }
                _ => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&self.key(node));
                }
            }
        }
        path
    }

    /// The text with other JSON in some places, told by their values in order; `None` where there are none.
    pub(super) fn edited(&self, edits: Vec<(Range<usize>, String)>) -> Option<Vec<u8>> {
        if edits.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(self.text.len() + 64);
        let mut at = 0;
        for (span, instead) in edits {
            out.extend_from_slice(self.text.get(at..span.start).unwrap_or_default().as_bytes());
            out.extend_from_slice(instead.as_bytes());
            at = span.end;
        }
        out.extend_from_slice(self.text.get(at..).unwrap_or_default().as_bytes());
        Some(out)
    }
}

/// Whether two names are one field's: dialects that are written in camel case are also read in snake case.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
    }
    one == other || letters(one).eq(letters(other))
}

/// The place behind the closing quotation mark of a string whose content begins at `from`.
fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(found) if rest.get(found) == Some(&b'"') => return at + found + 1,
            Some(found) => at += found + 2,
            None => return bytes.len(),
        }
    }
}

/// The text that a string of JSON means, given without its quotation marks. Halves of surrogate pairs become U+FFFD.
fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut units: Vec<u16> = Vec::new();
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(place) = rest.find('\\') {
        let (before, escape) = rest.split_at(place);
        if !before.is_empty() {
            flush(&mut units, &mut out);
            out.push_str(before);
        }
        let escaped = escape.get(1..).unwrap_or_default();
        let letter = escaped.chars().next().unwrap_or('\\');
        rest = escaped.get(letter.len_utf8()..).unwrap_or_default();
        if letter == 'u'
            && let Some(unit) = rest.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok())
        {
            units.push(unit);
            rest = rest.get(4..).unwrap_or_default();
            continue;
        }
        flush(&mut units, &mut out);
        out.push(match letter {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            other => other,
        });
    }
    flush(&mut units, &mut out);
    out.push_str(rest);
    Cow::Owned(out)
}

fn flush(units: &mut Vec<u16>, out: &mut String) {
    out.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_mean_what_the_parser_says() {
        for raw in [r"a\n\t\r\b\f\/\\\u0022", r"\ud83d\ude00x\u00e9", "käse", r"\\u0041", ""] {
            let expected: String = serde_json::from_str(&format!("\"{raw}\"")).expect("is JSON");
            assert_eq!(unescape(raw), expected, "{raw}");
        }
        assert_eq!(unescape(r"a\ud83dx"), "a\u{fffd}x");
    }

    #[test]
    fn every_value_has_its_place() {
        let text = r#" {"a" : [1, {"b\u0020": "x\"]"}, []], "c":{}, "d": null }"#;
        let tape = Tape::read(text.as_bytes()).expect("is JSON");
        let paths: Vec<_> =
            (0..tape.len()).map(|number| (tape.path(number, false), tape.raw(tape.nodes[number]))).collect();
        let expected = [
            ("", text.trim()),
            ("a", r#"[1, {"b\u0020": "x\"]"}, []]"#),
            ("a[0]", "1"),
            ("a[1]", r#"{"b\u0020": "x\"]"}"#),
            ("a[1].b ", r#""x\"]""#),
            ("a[2]", "[]"),
            ("c", "{}"),
            ("d", "null"),
        ];
        assert_eq!(paths, expected.map(|(path, raw)| (path.to_owned(), raw)));
    }

    #[test]
    fn names_are_the_same_in_camel_and_snake_case() {
        assert!(same_name("inline_data", "inlineData") && same_name("type", "type"));
        assert!(!same_name("types", "type"));
    }
}
