//! The texts of a form (`multipart/form-data`, RFC 7578): its plain fields, and files that are text.

use memchr::memmem;

use super::{Screen, unreadable};
use crate::dialect::texts::{Found, is_text};
use crate::failure::Failure;

/// Fields that are no texts.
const WORDS: [&str; 3] = ["model", "response_format", "purpose"];

/// What a part's head says of it.
struct Head<'a> {
    name: &'a str,
    is_file: bool,
    media_type: &'a str,
}

/// Masks a form's texts; `None`: it stays as it is. `refuses`: what can't be read is refused.
pub(super) fn mask(
    boundary: &str,
    body: &[u8],
    refuses: bool,
    screen: &mut Screen,
) -> Result<Option<Vec<u8>>, Failure> {
    let delimiter = format!("--{boundary}");
    let mut out = Vec::with_capacity(body.len());
    let mut changed = false;
    let mut from = 0;
    let mut starts = memmem::find_iter(body, &delimiter).peekable();
    while let Some(start) = starts.next() {
        let end = starts.peek().copied().unwrap_or(body.len());
        let part = body.get(start..end).unwrap_or_default();
        let Some(end_of_head) = memmem::find(part, b"\r\n\r\n") else { continue };
        let content = start + end_of_head + 4..end.saturating_sub(2).max(start + end_of_head + 4);
        let head = Head::read(part.get(..end_of_head).unwrap_or_default());
        let bytes = body.get(content.clone()).unwrap_or_default();
        let readable = !head.is_file || is_text(head.media_type);
        let text = std::str::from_utf8(bytes).ok().filter(|_| readable);
        if WORDS.contains(&head.name) {
            continue;
        }
        match text {
            None if refuses => return Err(unreadable(head.name)),
            None => {}
            Some(text) => {
                if let Some(instead) = screen.whole(Found::Text(text)) {
                    out.extend_from_slice(body.get(from..content.start).unwrap_or_default());
                    out.extend_from_slice(instead.as_bytes());
                    from = content.end;
                    changed = true;
                }
            }
        }
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Ok(changed.then_some(out))
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
