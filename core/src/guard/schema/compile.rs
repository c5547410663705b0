//! Reads a schema: every keyword that judges is known, every reference leads somewhere, and none leads in a circle.

use percent_encoding::percent_decode_str;

use super::{Keyword, Number, Pattern, SchemaFault, Side, Type, value};
use crate::policy::Node;

/// Keywords that say something to readers and judge nothing. `format` is one of these unless a reader is told otherwise.
const REMARKS: [&str; 15] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "deprecated",
    "examples",
    "readOnly",
    "writeOnly",
    "format",
    "contentEncoding",
    "contentMediaType",
];
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
const TYPES: [(&str, Type); 7] = [
    ("null", Type::Null),
    ("boolean", Type::Boolean),
    ("integer", Type::Integer),
    ("number", Type::Number),
    ("string", Type::String),
    ("array", Type::Array),
    ("object", Type::Object),
];

/// How many subschemas there may be.
const MAX_SUBSCHEMAS: usize = 2_000;
/// How deep they may stand within each other.
const MAX_NESTING: usize = 64;

pub(super) fn compile(schema: &Node) -> Result<Vec<Vec<Keyword>>, Vec<SchemaFault>> {
    let mut compiler = Compiler {
        root: schema,
        subschemas: Vec::new(),
        numbers: Vec::new(),
        open: Vec::new(),
        faults: Vec::new(),
    };
    compiler.subschema(schema, "", 0);
    // Not at once: a chain of references could be longer than the stack is deep.
    while let Some((number, node, path, depth)) = compiler.open.pop() {
        compiler.fill(number, node, &path, depth);
    }
    if compiler.faults.is_empty() && compiler.has_circle() {
        compiler.fault("", "refers to itself for one and the same value, which would never end");
    }
    match compiler.faults.is_empty() {
        true => Ok(compiler.subschemas),
        false => Err(compiler.faults),
    }
}

struct Compiler<'s> {
    root: &'s Node,
    subschemas: Vec<Vec<Keyword>>,
    /// Of those that were read, by where they are in memory: each is compiled once, whoever refers to it.
    numbers: Vec<*const Node>,
    /// Of those that were referred to, what is still to be read: their numbers, places and depths.
    open: Vec<(Number, &'s Node, String, usize)>,
    faults: Vec<SchemaFault>,
}

/// An object of a schema, with what was not read yet of what belongs together.
struct Object<'s, 'p> {
    members: &'s [(String, Node)],
    path: &'p str,
    depth: usize,
}

impl<'s> Object<'s, '_> {
    fn get(&self, name: &str) -> Option<&'s Node> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, node)| node)
    }

    fn path(&self, name: &str) -> String {
        join(self.path, name)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl<'s> Compiler<'s> {
    fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.faults.push((path.into(), message.into()));
    }

    /// Reads a subschema; the number stands for it from now on.
    fn subschema(&mut self, node: &'s Node, path: &str, depth: usize) -> Number {
        match self.number(node, path, depth) {
            (number, true) => {
                self.fill(number, node, path, depth);
                number
            }
            (number, false) => number,
        }
    }

    /// A subschema's number, and whether it is a new one.
    fn number(&mut self, node: &'s Node, path: &str, depth: usize) -> (Number, bool) {
        // They are few enough for that.
        if let Some(known) = self.numbers.iter().position(|known| std::ptr::eq(*known, node)) {
            return (known, false);
        }
        let number = self.subschemas.len();
        if number >= MAX_SUBSCHEMAS || depth > MAX_NESTING {
            // One such fault says enough.
            if self.faults.last().is_none_or(|(_, last)| last != TOO_MUCH) {
                self.fault(path, TOO_MUCH);
            }
            return (0, false);
        }
        self.subschemas.push(Vec::new());
        self.numbers.push(node);
        (number, true)
    }

    fn fill(&mut self, number: Number, node: &'s Node, path: &str, depth: usize) {
        let keywords = match node {
            Node::Boolean(true) => Vec::new(),
            Node::Boolean(false) => vec![Keyword::Never],
            Node::Map(members) => self.keywords(&Object { members, path, depth }),
            _ => {
                self.fault(path, "is no schema: an object, `true` or `false`");
                Vec::new()
            }
        };
        if let Some(place) = self.subschemas.get_mut(number) {
            *place = keywords;
        }
    }

    fn keywords(&mut self, object: &Object<'s, '_>) -> Vec<Keyword> {
        let mut keywords = Vec::new();
        for (name, node) in object.members {
            let path = object.path(name);
            keywords.extend(self.keyword(object, name, node, &path));
        }
        keywords
    }

    fn keyword(
        &mut self,
        object: &Object<'s, '_>,
        name: &str,
        node: &'s Node,
        path: &str,
    ) -> Option<Keyword> {
        let depth = object.depth + 1;
        Some(match name {
            "type" => Keyword::Types(self.types(node, path)),
            "enum" => {
                let items = self.list(node, path)?;
                Keyword::Enum(items.iter().map(written).collect())
            }
            "const" => Keyword::Enum(vec![written(node)]),
            "$ref" => Keyword::All(vec![self.reference(node, path)?]),
            "allOf" => Keyword::All(self.alternatives(node, path, depth)?),
            "anyOf" => Keyword::Any(self.alternatives(node, path, depth)?),
            "oneOf" => Keyword::One(self.alternatives(node, path, depth)?),
            "not" => Keyword::Not(self.subschema(node, path, depth)),
            "if" => {
                let mut branch =
                    |name: &str| object.get(name).map(|node| self.subschema(node, &object.path(name), depth));
                let (then, otherwise) = (branch("then"), branch("else"));
                Keyword::If { condition: self.subschema(node, path, depth), then, otherwise }
            }
            // Without `if` they judge nothing.
            "then" | "else" => {
                self.subschema(node, path, depth);
                return None;
            }
            "properties" | "patternProperties" | "additionalProperties" => {
                return self.properties(object, name);
            }
            "required" => Keyword::Required(self.names(node, path)),
            "dependentRequired" => {
                let members = self.map(node, path)?;
                let names =
                    |(name, node): &'s (String, Node)| (name.clone(), self.names(node, &join(path, name)));
                Keyword::DependentRequired(members.iter().map(names).collect())
            }
            "propertyNames" => Keyword::PropertyNames(self.subschema(node, path, depth)),
            "prefixItems" | "items" => return self.items(object, name),
            "contains" => {
                let mut count =
                    |name: &str| object.get(name).and_then(|node| self.count(node, &object.path(name)));
                let (least, most) = (count("minContains").unwrap_or(1), count("maxContains"));
                Keyword::Contains { item: self.subschema(node, path, depth), least, most }
            }
            // Without `contains` they judge nothing.
            "minContains" | "maxContains" => {
                self.count(node, path);
                return None;
            }
            "uniqueItems" => match node {
                Node::Boolean(true) => Keyword::UniqueItems,
                Node::Boolean(false) => return None,
                _ => return self.mistyped(path, "`true` or `false`"),
            },
            "minLength" => self.least(Type::String, node, path)?,
            "maxLength" => self.most(Type::String, node, path)?,
            "minItems" => self.least(Type::Array, node, path)?,
            "maxItems" => self.most(Type::Array, node, path)?,
            "minProperties" => self.least(Type::Object, node, path)?,
            "maxProperties" => self.most(Type::Object, node, path)?,
            "pattern" => Keyword::Pattern(self.pattern(node, path)?),
            "minimum" => self.bound(node, path, Side::Least, false)?,
            "maximum" => self.bound(node, path, Side::Most, false)?,
            "exclusiveMinimum" => self.bound(node, path, Side::Least, true)?,
            "exclusiveMaximum" => self.bound(node, path, Side::Most, true)?,
            "multipleOf" => {
                let is_greater =
                    value::compare(node, &Node::Integer(0)).is_some_and(std::cmp::Ordering::is_gt);
                match is_greater {
                    true => Keyword::MultipleOf(node.clone()),
                    false => return self.mistyped(path, "a number greater than 0"),
                }
            }
            "$schema" => {
                if !matches!(node, Node::Text(uri) if uri.trim_end_matches('#') == DRAFT) {
                    self.fault(path, format!("is not the draft that is known here: {DRAFT}"));
                }
                return None;
            }
            "$id" => {
                if !object.path.is_empty() {
                    self.fault(path, "is known at the root only");
                }
                return None;
            }
            "$defs" | "definitions" => {
                // They judge nothing by themselves, but what is wrong in them is wrong.
                for (name, node) in self.map(node, path)? {
                    self.subschema(node, &join(path, name), depth);
                }
                return None;
            }
            name if REMARKS.contains(&name) => return None,
            _ => {
                self.fault(path, "is not a keyword that is known here");
                return None;
            }
        })
    }

    fn mistyped<T>(&mut self, path: &str, expected: &str) -> Option<T> {
        self.fault(path, format!("has to be {expected}"));
        None
    }

    fn list(&mut self, node: &'s Node, path: &str) -> Option<&'s [Node]> {
        match node {
            Node::List(items) => Some(items),
            _ => self.mistyped(path, "a list"),
        }
    }

    fn map(&mut self, node: &'s Node, path: &str) -> Option<&'s [(String, Node)]> {
        match node {
            Node::Map(members) => Some(members),
            _ => self.mistyped(path, "an object"),
        }
    }

    fn names(&mut self, node: &'s Node, path: &str) -> Vec<String> {
        let items = self.list(node, path).unwrap_or_default();
        let names = items.iter().map(|item| match item {
            Node::Text(name) => Some(name.clone()),
            _ => None,
        });
        names.collect::<Option<_>>().or_else(|| self.mistyped(path, "a list of texts")).unwrap_or_default()
    }

    fn types(&mut self, node: &'s Node, path: &str) -> Vec<Type> {
        let words = match node {
            Node::Text(word) => vec![word.clone()],
            _ => self.names(node, path),
        };
        let mut types = Vec::new();
        for word in words {
            match TYPES.iter().find(|(known, _)| *known == word) {
                Some((_, kind)) => types.push(*kind),
                None => self.fault(path, format!("`{word}` is no type of JSON Schema")),
            }
        }
        types
    }

    fn alternatives(&mut self, node: &'s Node, path: &str, depth: usize) -> Option<Vec<Number>> {
        let items = self.list(node, path)?;
        if items.is_empty() {
            return self.mistyped(path, "a list that is not empty");
        }
        Some(self.each(items, path, depth))
    }

    fn each(&mut self, items: &'s [Node], path: &str, depth: usize) -> Vec<Number> {
        let item = |(position, item)| self.subschema(item, &format!("{path}[{position}]"), depth);
        items.iter().enumerate().map(item).collect()
    }

    fn count(&mut self, node: &Node, path: &str) -> Option<u64> {
        match node {
            Node::Integer(count) if *count >= 0 => u64::try_from(*count).ok(),
            _ => self.mistyped(path, "an integer of 0 or more"),
        }
    }

    fn least(&mut self, of: Type, node: &Node, path: &str) -> Option<Keyword> {
        Some(Keyword::Count { of, least: self.count(node, path)?, most: None })
    }

    fn most(&mut self, of: Type, node: &Node, path: &str) -> Option<Keyword> {
        Some(Keyword::Count { of, least: 0, most: Some(self.count(node, path)?) })
    }

    fn bound(&mut self, node: &Node, path: &str, side: Side, exclusive: bool) -> Option<Keyword> {
        match node {
            Node::Integer(_) | Node::Number(_) => {
                Some(Keyword::Bound { limit: node.clone(), side, exclusive })
            }
            _ => self.mistyped(path, "a number"),
        }
    }

    fn pattern(&mut self, node: &Node, path: &str) -> Option<Pattern> {
        match node {
            Node::Text(text) => self.pattern_of(text, path),
            _ => self.mistyped(path, "a text"),
        }
    }

    fn pattern_of(&mut self, text: &str, path: &str) -> Option<Pattern> {
        match Pattern::new(text) {
            Ok(pattern) => Some(pattern),
            Err(fault) => {
                self.fault(path, format!("the pattern {fault}"));
                None
            }
        }
    }

    /// The three keywords of an object's members, which belong together; read when the first of them is.
    fn properties(&mut self, object: &Object<'s, '_>, keyword: &str) -> Option<Keyword> {
        let is_first =
            first_of(object, &["properties", "patternProperties", "additionalProperties"]) == Some(keyword);
        if !is_first {
            return None;
        }
        let depth = object.depth + 1;
        let (mut named, mut patterns) = (Vec::new(), Vec::new());
        if let Some(node) = object.get("properties") {
            let path = object.path("properties");
            for (name, node) in self.map(node, &path).unwrap_or_default() {
                let number = self.subschema(node, &join(&path, name), depth);
                let place = named.partition_point(|(known, _): &(String, Number)| known < name);
                named.insert(place, (name.clone(), number));
            }
        }
        if let Some(node) = object.get("patternProperties") {
            let path = object.path("patternProperties");
            for (name, node) in self.map(node, &path).unwrap_or_default() {
                let number = self.subschema(node, &join(&path, name), depth);
                patterns.extend(self.pattern_of(name, &path).map(|pattern| (pattern, number)));
            }
        }
        let others = object.get("additionalProperties");
        let others = others.map(|node| self.subschema(node, &object.path("additionalProperties"), depth));
        Some(Keyword::Properties { named, patterns, others })
    }

    /// The two keywords of a list's items, which belong together.
    fn items(&mut self, object: &Object<'s, '_>, keyword: &str) -> Option<Keyword> {
        if first_of(object, &["prefixItems", "items"]) != Some(keyword) {
            return None;
        }
        let depth = object.depth + 1;
        let first = match object.get("prefixItems") {
            Some(node) => self.alternatives(node, &object.path("prefixItems"), depth)?,
            None => Vec::new(),
        };
        let others = object.get("items").map(|node| self.subschema(node, &object.path("items"), depth));
        Some(Keyword::Items { first, others })
    }

    /// What `#`, or `#/` and a pointer (RFC 6901), leads to.
    fn reference(&mut self, node: &Node, path: &str) -> Option<Number> {
        let Node::Text(reference) = node else { return self.mistyped(path, "a text") };
        let pointer =
            reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let decoded = pointer.and_then(|pointer| percent_decode_str(pointer).decode_utf8().ok());
        let Some(pointer) = decoded else {
            return self.mistyped(path, "`#`, or `#/` and a path within this schema");
        };
        let mut found = self.root;
        let mut place = String::new();
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            let next = match found {
                Node::Map(members) => {
                    members.iter().find(|(member, _)| *member == name).map(|(_, node)| node)
                }
                Node::List(items) => name.parse::<usize>().ok().and_then(|position| items.get(position)),
                _ => None,
            };
            let Some(next) = next else {
                self.fault(path, format!("there is nothing at `{reference}`"));
                return None;
            };
            place = match found {
                Node::List(_) => format!("{place}[{name}]"),
                _ => join(&place, &name),
            };
            found = next;
        }
        // Its own place tells how deep it stands, not who refers to it.
        let depth = pointer.split('/').count();
        let (number, is_new) = self.number(found, &place, depth);
        if is_new {
            self.open.push((number, found, place, depth));
        }
        Some(number)
    }

    /// Whether some subschema asks for itself, for the same value.
    fn has_circle(&self) -> bool {
        // 0: not seen; 1: being followed; 2: leads nowhere back.
        let mut marks = vec![0_u8; self.subschemas.len()];
        for start in 0..self.subschemas.len() {
            let mut open = vec![(start, false)];
            while let Some((number, is_done)) = open.pop() {
                let Some(mark) = marks.get_mut(number) else { continue };
                match (is_done, *mark) {
                    (true, _) => *mark = 2,
                    (false, 0) => {
                        *mark = 1;
                        open.push((number, true));
                        for next in self.subschemas.get(number).into_iter().flatten().flat_map(in_place) {
                            match marks.get(next) {
                                Some(1) => return true,
                                Some(0) => open.push((next, false)),
                                _ => {}
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        false
    }
}

const TOO_MUCH: &str = "is too large a schema: at most 2000 subschemas, 64 within each other";

/// The subschemas that a keyword asks for the value itself.
fn in_place(keyword: &Keyword) -> Vec<Number> {
    match keyword {
        Keyword::All(numbers) | Keyword::Any(numbers) | Keyword::One(numbers) => numbers.clone(),
        Keyword::Not(number) => vec![*number],
        Keyword::If { condition, then, otherwise } => {
            [Some(*condition), *then, *otherwise].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

fn first_of<'n>(object: &Object<'_, '_>, names: &[&'n str]) -> Option<&'n str> {
    let mut members = object.members.iter();
    members.find_map(|(member, _)| names.iter().find(|name| **name == member.as_str()).copied())
}

fn written(node: &Node) -> String {
    let mut written = String::new();
    value::canonical(node, &mut written);
    written
}
