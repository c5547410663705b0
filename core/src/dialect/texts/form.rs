//! The texts of a form (`multipart/form-data`, RFC 7578): its plain fields, and files that are text.

use std::collections::BTreeMap;

use memchr::memmem;

use super::tape::Tape;
use super::{Found, Place, Source, Visit, is_json, is_text};
use crate::failure::Failure;

/// Fields that are no texts.
const WORDS: [&str; 3] = ["model", "response_format", "purpose"];
/// Fields that are texts, whatever they say they are.
const TEXTS: [&str; 3] = ["prompt", "input", "instructions"];

/// What a part's head says of it.
struct Head<'a> {
    name: &'a str,
    is_file: bool,
    media_type: &'a str,
}

/// Reads every text of a form, and puts what it is told in its stead; `None`: it stays as it is.
///
/// # Errors
/// The form can't be read, or what `visit` returns.
pub fn walk_form(boundary: &str, body: &[u8], visit: &mut Visit<'_>) -> Result<Option<Vec<u8>>, Failure> {
    let delimiter = format!("--{boundary}");
    // Only at the beginning of a line is it one: elsewhere it is content.
    let is_at_line =
        |start: &usize| *start == 0 || body.get(..*start).is_some_and(|before| before.ends_with(b"\r\n"));
    let mut starts = memmem::find_iter(body, &delimiter).filter(is_at_line).peekable();
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(start) = starts.next() {
        let end = starts.peek().copied().unwrap_or(body.len());
        let part = body.get(start + delimiter.len()..end).unwrap_or_default();
        if part.starts_with(b"--") {
            break;
        }
        let end_of_head = memmem::find(part, b"\r\n\r\n").ok_or_else(unreadable)?;
        let first = start + delimiter.len() + end_of_head + 4;
        let content = first..end.saturating_sub(2).max(first);
        let head = Head::read(part.get(..end_of_head).unwrap_or_default());
        if WORDS.contains(&head.name) {
            continue;
        }
        let bytes = body.get(content.clone()).unwrap_or_default();
        let readable = !head.is_file || is_text(head.media_type) || TEXTS.contains(&head.name);
        let text = std::str::from_utf8(bytes).ok().filter(|_| readable);
        if let Some(instead) = field(head.name, text, visit)? {
            out.extend_from_slice(body.get(from..content.start).unwrap_or_default());
            out.extend_from_slice(instead.as_bytes());
            from = content.end;
        }
    }
    if from == 0 {
        return Ok(None);
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Ok(Some(out))
}

/// Visits one field, as a member of this name.
fn field(name: &str, text: Option<&str>, visit: &mut Visit<'_>) -> Result<Option<String>, Failure> {
    let object = serde_json::to_string(&BTreeMap::from([(name, "")])).unwrap_or_default();
    let tape = Tape::read(object.as_bytes()).map_err(super::super::malformed)?;
    let place = Place { tape: &tape, number: 1, source: Source::User };
    match text {
        None => visit(&place, Found::Unreadable).map(|_| None),
        Some(text) if is_json(text) => visit(&place, Found::Json(text)),
        Some(text) => visit(&place, Found::Text(text)),
    }
}

fn unreadable() -> Failure {
    Failure::invalid("The form can't be read.", None).code("invalid_form")
}

impl<'a> Head<'a> {
    fn read(head: &'a [u8]) -> Self {
        let head = std::str::from_utf8(head).unwrap_or_default();
        let header = |wanted: &str| {
            head.split("\r\n").find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.trim().eq_ignore_ascii_case(wanted).then_some(value)
            })
        };
        let disposition = header("content-disposition").unwrap_or_default();
        let parameter = |wanted: &str| {
            disposition.split(';').find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                let name = name.trim().trim_end_matches('*');
                name.eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
            })
        };
        Self {
            name: parameter("name").unwrap_or_default(),
            is_file: parameter("filename").is_some(),
            media_type: header("content-type").unwrap_or_default().trim(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(parts: &[(&str, &str)]) -> String {
        let part = |(head, content): &(&str, &str)| {
            format!("--xyz\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
        };
        format!("{}--xyz--\r\n", parts.iter().map(part).collect::<String>())
    }

    fn walked(body: &str) -> Result<(Vec<String>, Option<String>), Failure> {
        let mut seen = Vec::new();
        let changed = walk_form("xyz", body.as_bytes(), &mut |place, found| {
            let (Found::Text(text) | Found::Json(text)) = found else {
                seen.push(format!("{}: unreadable", place.path()));
                return Ok(None);
            };
            seen.push(format!("{}: {text}", place.path()));
            Ok(text.contains("secret").then(|| text.replace("secret", "…")))
        })?;
        Ok((seen, changed.map(|bytes| String::from_utf8(bytes).expect("is text"))))
    }

    #[test]
    fn every_field_is_read_and_nothing_else_changes() {
        let parts = [
            ("name=\"model\"", "secret-1"),
            ("name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png", "secret"),
            ("name=\"prompt\"", "a secret --xyz dot"),
            ("name=\"notes\"; filename=\"a.txt\"\r\nContent-Type: text/plain", "more secret"),
            ("name=\"prompt\"; filename=\"b\"\r\nContent-Type: image/png", "hidden"),
            ("name=\"extra\"", "{\"a\": 1}"),
        ];
        let (seen, changed) = walked(&form(&parts)).expect("can be read");
        let texts = [
            "image: unreadable",
            "prompt: a secret --xyz dot",
            "notes: more secret",
            "prompt: hidden",
            "extra: {\"a\": 1}",
        ];
        assert_eq!(seen, texts);
        let mut expected = parts;
        expected[2].1 = "a … --xyz dot";
        expected[3].1 = "more …";
        assert_eq!(changed, Some(form(&expected)));
        assert_eq!(walked(&form(&[("name=\"prompt\"", "nothing")])).expect("can be read").1, None);
    }

    #[test]
    fn a_part_without_a_head_hides_nothing() {
        for body in ["--xyz\r\nsecret\r\n--xyz--\r\n", "--xyzsecret\r\n--xyz--\r\n", "--xyz"] {
            assert_eq!(walked(body).expect_err("is refused").code.as_deref(), Some("invalid_form"), "{body}");
        }
        let (seen, _) =
            walked(&form(&[("name=\"prompt\"", "a\n--xyz\r\nb: c\r\n\r\nd")])).expect("can be read");
        assert_eq!(seen, ["prompt: a\n--xyz\r\nb: c\r\n\r\nd"]);
    }
}
