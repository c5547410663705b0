//! What a pattern says: ECMA-262's syntax without references and without looking around.

/// A part of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    /// A character of these ranges; of none of them where `negated`.
    Characters {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
    Assert(Assertion),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Repeat(Box<Expression>, u32, Option<u32>),
}

/// What has to hold between two characters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Assertion {
    Start,
    End,
    /// Where a word begins or ends.
    Boundary,
    NoBoundary,
}

impl Assertion {
    /// Whether it does between these; `None` at the text's ends.
    pub(super) fn holds(self, before: Option<char>, after: Option<char>) -> bool {
        let is_word =
            |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::Boundary => is_word(before) != is_word(after),
            Self::NoBoundary => is_word(before) == is_word(after),
        }
    }
}

/// How deep groups may be nested.
const MAX_DEPTH: usize = 32;
/// How often something may be repeated at most, when it is counted.
const MAX_REPEAT: u32 = 1_000;

const DIGITS: [(char, char); 1] = [('0', '9')];
const WORDS: [(char, char); 4] = [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const SPACES: [(char, char); 9] = [
    ('\t', '\r'),
    (' ', ' '),
    ('\u{a0}', '\u{a0}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{2000}', '\u{200a}'),
    ('\u{2028}', '\u{2029}'),
    ('\u{202f}', '\u{202f}'),
    ('\u{205f}', '\u{205f}'),
    ('\u{3000}', '\u{3000}'),
];
/// Of white space, what is no space.
const MARK: (char, char) = ('\u{feff}', '\u{feff}');
/// What a dot doesn't stand for.
const LINE_ENDS: [(char, char); 3] = [('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')];

const GROUPS: &str = "has a group that begins with `(?`: of these, there is only `(?:…)`";
const OPEN: &str = "has a parenthesis or bracket that is not closed";
const CLOSES: &str = "has a parenthesis that closes nothing";
const NOTHING: &str = "repeats nothing";
const COUNT: &str = "has what is no count: `{n}`, `{n,}` or `{n,m}`, at most 1000";
const RANGE: &str = "has a range that ends before it begins";
const ESCAPE: &str = "has an escape that is not known: there are `\\d`, `\\w`, `\\s`, their opposites, `\\b`, `\\B`, characters and their codes";
const DEEP: &str = "nests its groups too deeply";

/// Reads a pattern. The error completes the sentence "the pattern …".
pub(super) fn parse(text: &str) -> Result<Expression, &'static str> {
    let mut parser = Parser { rest: text, depth: 0 };
    let expression = parser.alternatives()?;
    match parser.rest.is_empty() {
        true => Ok(expression),
        false => Err(CLOSES),
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

enum Escaped {
    Class(Vec<(char, char)>),
    Character(char),
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        Some(character)
    }

    fn accept(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn alternatives(&mut self) -> Result<Expression, &'static str> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(DEEP);
        }
        let mut any = vec![self.sequence()?];
        while self.accept("|") {
            any.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(Expression::Any(any))
    }

    fn sequence(&mut self) -> Result<Expression, &'static str> {
        let mut all = Vec::new();
        while self.peek().is_some_and(|character| !matches!(character, '|' | ')')) {
            let (atom, repeats) = self.atom()?;
            all.push(match repeats {
                true => self.repeated(atom)?,
                false => atom,
            });
        }
        Ok(Expression::All(all))
    }

    /// One thing, and whether it may be repeated.
    fn atom(&mut self) -> Result<(Expression, bool), &'static str> {
        let characters =
            |ranges: &[(char, char)], negated| Expression::Characters { ranges: ranges.to_vec(), negated };
        let expression = match self.next().ok_or(OPEN)? {
            '^' => return Ok((Expression::Assert(Assertion::Start), false)),
            '$' => return Ok((Expression::Assert(Assertion::End), false)),
            '.' => characters(&LINE_ENDS, true),
            '(' => {
                if !self.accept("?:") && self.peek() == Some('?') {
                    return Err(GROUPS);
                }
                let group = self.alternatives()?;
                if !self.accept(")") {
                    return Err(OPEN);
                }
                group
            }
            '[' => self.class()?,
            '*' | '+' | '?' => return Err(NOTHING),
            '{' | '}' | ']' => return Err(COUNT),
            '\\' if self.accept("b") => return Ok((Expression::Assert(Assertion::Boundary), false)),
            '\\' if self.accept("B") => return Ok((Expression::Assert(Assertion::NoBoundary), false)),
            '\\' => match self.escape()? {
                Escaped::Class(ranges) => characters(&ranges, false),
                Escaped::Character(character) => characters(&[(character, character)], false),
            },
            character => characters(&[(character, character)], false),
        };
        Ok((expression, true))
    }

    fn repeated(&mut self, atom: Expression) -> Result<Expression, &'static str> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => self.counts()?,
            _ => return Ok(atom),
        };
        self.next();
        // Whether the shortest or the longest is looked for makes no difference to whether there is one.
        self.accept("?");
        match self.peek() {
            Some('*' | '+' | '?' | '{') => Err(NOTHING),
            _ => Ok(Expression::Repeat(Box::new(atom), least, most)),
        }
    }

    /// `{n}`, `{n,}` or `{n,m}`, up to its closing brace.
    fn counts(&mut self) -> Result<(u32, Option<u32>), &'static str> {
        self.next();
        let (inside, _) = self.rest.split_once('}').ok_or(COUNT)?;
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number: Option<u32> = digits.parse().ok().filter(|number| is_number && *number <= MAX_REPEAT);
            number.ok_or(COUNT)
        };
        let counts = match inside.split_once(',') {
            None => (number(inside)?, Some(number(inside)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        self.rest = self.rest.get(inside.len()..).unwrap_or_default();
        match counts {
            (least, Some(most)) if most < least => Err(COUNT),
            counts => Ok(counts),
        }
    }

    /// `[…]`, behind its opening bracket.
    fn class(&mut self) -> Result<Expression, &'static str> {
        let negated = self.accept("^");
        let mut ranges = Vec::new();
        loop {
            if self.accept("]") {
                return Ok(Expression::Characters { ranges, negated });
            }
            let first = match self.class_atom()? {
                Escaped::Class(class) => {
                    ranges.extend(class);
                    continue;
                }
                Escaped::Character(character) => character,
            };
            if !self.rest.starts_with('-') || self.rest.starts_with("-]") {
                ranges.push((first, first));
                continue;
            }
            self.next();
            match self.class_atom()? {
                Escaped::Character(last) if first <= last => ranges.push((first, last)),
                Escaped::Character(_) => return Err(RANGE),
                Escaped::Class(class) => {
                    ranges.extend([(first, first), ('-', '-')]);
                    ranges.extend(class);
                }
            }
        }
    }

    fn class_atom(&mut self) -> Result<Escaped, &'static str> {
        match self.next().ok_or(OPEN)? {
            '\\' if self.accept("b") => Ok(Escaped::Character('\u{8}')),
            '\\' => self.escape(),
            character => Ok(Escaped::Character(character)),
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<Escaped, &'static str> {
        let spaces = || SPACES.into_iter().chain([MARK]).collect::<Vec<_>>();
        Ok(match self.next().ok_or(ESCAPE)? {
            'd' => Escaped::Class(DIGITS.to_vec()),
            'D' => Escaped::Class(but(&DIGITS)),
            'w' => Escaped::Class(WORDS.to_vec()),
            'W' => Escaped::Class(but(&WORDS)),
            's' => Escaped::Class(spaces()),
            'S' => Escaped::Class(but(&spaces())),
            't' => Escaped::Character('\t'),
            'n' => Escaped::Character('\n'),
            'v' => Escaped::Character('\u{b}'),
            'f' => Escaped::Character('\u{c}'),
            'r' => Escaped::Character('\r'),
            '0' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => Escaped::Character('\0'),
            'x' => Escaped::Character(self.code(2).and_then(char::from_u32).ok_or(ESCAPE)?),
            'u' => Escaped::Character(self.unicode().ok_or(ESCAPE)?),
            character if character.is_ascii_punctuation() => Escaped::Character(character),
            _ => return Err(ESCAPE),
        })
    }

    fn code(&mut self, digits: usize) -> Option<u32> {
        let text = self.rest.get(..digits)?;
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = self.rest.get(digits..)?;
        u32::from_str_radix(text, 16).ok()
    }

    /// `\u0041`, `\ud83d\ude00` or `\u{1f600}`, behind the `u`.
    fn unicode(&mut self) -> Option<char> {
        if self.accept("{") {
            let digits = self.rest.find('}').filter(|digits| (1..=6).contains(digits))?;
            let code = self.code(digits)?;
            self.accept("}");
            return char::from_u32(code);
        }
        let first = self.code(4)?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        let second = self.accept("\\u").then(|| self.code(4)).flatten()?;
        let units = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
        char::decode_utf16(units).next()?.ok()
    }
}

/// All characters but these, which stand in order.
fn but(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut others = Vec::new();
    let mut from = '\0';
    for (first, last) in ranges {
        if let Some(before) = previous(*first).filter(|before| from <= *before) {
            others.push((from, before));
        }
        from = following(*last);
    }
    others.push((from, char::MAX));
    others
}

fn previous(character: char) -> Option<char> {
    u32::from(character).checked_sub(1).and_then(char::from_u32)
}

fn following(character: char) -> char {
    char::from_u32(u32::from(character) + 1).unwrap_or(character)
}
