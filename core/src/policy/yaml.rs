//! Reads YAML into the tree: the core schema of YAML 1.2, with anchors, merge keys and duplicate fields refused.

use std::collections::HashMap;
use std::str::Chars;

use yaml_rust2::Yaml;
use yaml_rust2::parser::{Event, Parser, Tag};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::node::Node;

/// How deep lists and maps can stand in each other.
const MAX_DEPTH: usize = 64;

/// How many values aliases can bring along, so that a few lines can't become billions.
const MAX_ALIASED: usize = 1 << 16;

/// The namespace of the core schema's tags, `!!str` and such.
const CORE_TAGS: &str = "tag:yaml.org,2002:";

/// Reads one document; an empty one is null.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), aliased: MAX_ALIASED };
    let mut document = None;
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(document.unwrap_or(Node::Null)),
            (Event::DocumentStart, mark) if document.is_some() => {
                return Err(at(mark, "there is a second document"));
            }
            (Event::DocumentStart, _) => document = Some(reader.value(0)?),
            _ => {}
        }
    }
}

struct Reader<'a> {
    parser: Parser<Chars<'a>>,
    anchors: HashMap<usize, Node>,
    /// How many values aliases may still bring.
    aliased: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<(Event, Marker), String> {
        self.parser.next_token().map_err(|error| at(*error.marker(), error.info()))
    }

    fn value(&mut self, depth: usize) -> Result<Node, String> {
        let (event, mark) = self.next()?;
        self.value_of(event, mark, depth)
    }

    /// The value that begins with this event.
    fn value_of(&mut self, event: Event, mark: Marker, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err(at(mark, "lists and maps stand too deep in each other"));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.alias(anchor, mark),
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(text, style, tag.as_ref(), mark)?),
            Event::SequenceStart(anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            _ => return Err(at(mark, "a value is missing")),
        };
        // Anchors are counted from 1.
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, mark: Marker) -> Result<Node, String> {
        let node =
            self.anchors.get(&anchor).ok_or_else(|| at(mark, "an alias stands inside of what it means"))?;
        self.aliased = self
            .aliased
            .checked_sub(size(node))
            .ok_or_else(|| at(mark, "aliases make the document too large"))?;
        Ok(node.clone())
    }

    fn list(&mut self, depth: usize) -> Result<Node, String> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Node::List(list)),
                (event, mark) => list.push(self.value_of(event, mark, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, String> {
        let (mut map, mut merged) = (Vec::new(), Vec::new());
        let mut names = std::collections::HashSet::new();
        loop {
            let (event, mark) = self.next()?;
            let name = match event {
                Event::MappingEnd => break,
                Event::Scalar(name, style, ..) => {
                    let value = self.value(depth + 1)?;
                    if name == "<<" && style == TScalarStyle::Plain {
                        merge(value, &mut merged).map_err(|()| at(mark, "`<<` has no map to merge"))?;
                        continue;
                    }
                    map.push((name.clone(), value));
                    name
                }
                _ => return Err(at(mark, "a field's name has to be text")),
            };
            if !names.insert(name.clone()) {
                return Err(at(mark, &format!("the field `{name}` is there twice")));
            }
        }
        // What the map says itself is stronger, then what was merged first.
        map.extend(merged.into_iter().filter(|(name, _)| names.insert(name.clone())));
        Ok(Node::Map(map))
    }
}

fn merge(value: Node, merged: &mut Vec<(String, Node)>) -> Result<(), ()> {
    match value {
        Node::Map(fields) => merged.extend(fields),
        Node::List(maps) => return maps.into_iter().try_for_each(|map| merge(map, merged)),
        _ => return Err(()),
    }
    Ok(())
}

fn scalar(text: String, style: TScalarStyle, tag: Option<&Tag>, mark: Marker) -> Result<Node, String> {
    let tag = match tag {
        None => None,
        Some(Tag { handle, suffix }) if handle == CORE_TAGS => Some(suffix.as_str()),
        Some(Tag { handle, suffix }) => {
            return Err(at(mark, &format!("the tag `{handle}{suffix}` means nothing here")));
        }
    };
    if tag == Some("str") || (tag.is_none() && style != TScalarStyle::Plain) {
        return Ok(Node::Text(text));
    }
    let node = match Yaml::from_str(&text) {
        Yaml::Null => Node::Null,
        Yaml::Boolean(value) => Node::Boolean(value),
        Yaml::Integer(value) => Node::Integer(value),
        real @ Yaml::Real(_) => real.as_f64().map_or(Node::Text(text), Node::from_number),
        _ if matches!(text.as_str(), "Null" | "NULL") => Node::Null,
        _ => Node::Text(text),
    };
    let kind = match node {
        Node::Null => "null",
        Node::Boolean(_) => "bool",
        Node::Integer(_) if tag == Some("int") => "int",
        Node::Integer(_) | Node::Number(_) => "float",
        _ => "str",
    };
    match tag.is_none_or(|tag| tag == kind) {
        true => Ok(node),
        false => Err(at(mark, "a value is not of the kind that its tag says")),
    }
}

/// How many values a value has, itself counted.
fn size(node: &Node) -> usize {
    match node {
        Node::List(list) => list.iter().fold(1, |sum, node| sum + size(node)),
        Node::Map(map) => map.iter().fold(1, |sum, (_, node)| sum + size(node)),
        _ => 1,
    }
}

fn at(mark: Marker, what: &str) -> String {
    format!("line {}, column {}: {what}", mark.line(), mark.col() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    fn map(fields: &[(&str, Node)]) -> Node {
        Node::Map(fields.iter().map(|(name, node)| ((*name).to_owned(), node.clone())).collect())
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let cases = [
            ("~", Node::Null),
            ("", Node::Null),
            ("Null", Node::Null),
            ("true", Node::Boolean(true)),
            ("yes", text("yes")),
            ("'true'", text("true")),
            ("!!str true", text("true")),
            ("12", Node::Integer(12)),
            ("-12", Node::Integer(-12)),
            ("0x1F", Node::Integer(31)),
            ("0o17", Node::Integer(15)),
            ("1.50", Node::Number(1.5)),
            ("25.0", Node::Integer(25)),
            ("1e3", Node::Integer(1000)),
            ("99999999999999999999", Node::Number(1e20)),
            ("inf", text("inf")),
            ("2024-10-21", text("2024-10-21")),
            ("sk-*", text("sk-*")),
            ("|\n  a\n  b\n", text("a\nb\n")),
            (">-\n  a\n  b\n", text("a b")),
        ];
        for (yaml, node) in cases {
            assert_eq!(parse(yaml), Ok(node), "{yaml}");
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the documents are files")]
    fn another_reader_reads_the_same() {
        let mut documents = 0;
        for folder in ["envoy", "cli/tests/render", "test-cases/access", "test-cases/matrix"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("is there").path();
                if path.extension().is_some_and(|extension| extension == "yaml") {
                    let file = std::fs::read_to_string(&path).expect("reads");
                    let other = serde_saphyr::from_str(&file).expect("is YAML");
                    assert_eq!(parse(&file), Ok(other), "{}", path.display());
                    documents += 1;
                }
            }
        }
        assert!(documents > 10, "{documents}");
    }

    #[test]
    fn anchors_and_merge_keys_bring_what_they_name() {
        let yaml = "a: &base {x: 1, y: [2]}\nb: *base\nc:\n  <<: *base\n  x: 3\n'<<': 4\n";
        let base = map(&[("x", Node::Integer(1)), ("y", Node::List(vec![Node::Integer(2)]))]);
        let merged = map(&[("x", Node::Integer(3)), ("y", Node::List(vec![Node::Integer(2)]))]);
        let whole = map(&[("a", base.clone()), ("b", base), ("c", merged), ("<<", Node::Integer(4))]);
        assert_eq!(parse(yaml), Ok(whole));
    }

    #[test]
    fn faults_have_their_place() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let dashes = "- ".repeat(100_000);
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for number in 1..30 {
            laughs += &format!("a{number}: &a{number} [*a{0}, *a{0}, *a{0}, *a{0}, *a{0}]\n", number - 1);
        }
        let cases = [
            ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the field `a` is there twice"),
            ("a: 1\n---\nb: 2\n", "line 2, column 1: there is a second document"),
            ("a: !Env B\n", "the tag `!Env` means nothing here"),
            ("a: !!int b\n", "a value is not of the kind that its tag says"),
            ("<<: 1\n", "line 1, column 1: `<<` has no map to merge"),
            ("[a, b]: 1\n", "line 1, column 1: a field's name has to be text"),
            ("a: &a [*a]\n", "line 1, column 8: an alias stands inside of what it means"),
            ("a: *b\n", "unknown anchor"),
            ("a: [1\n", "line "),
            (deep.as_str(), "recursion limit exceeded"),
            (dashes.as_str(), "lists and maps stand too deep in each other"),
            (laughs.as_str(), "aliases make the document too large"),
        ];
        for (yaml, fault) in cases {
            let found = parse(yaml).expect_err("is no document");
            assert!(found.contains(fault), "{found}");
        }
    }
}
