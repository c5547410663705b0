//! What each vendor's module provides, and what they share: error bodies, credentials, pictures.

use super::answer::{Answer, Ask};
use super::shape::decode;
use hyper::{HeaderMap, Method};
use serde_json::Value;

/// A request, read to its end.
pub struct Received<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, without the query.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// Keys accepted beside those that look like the vendor's.
    pub keys: &'a [String],
    /// Whether models are accepted whose name isn't the vendor's.
    pub any_model: bool,
}

/// A request that the vendor accepts.
pub enum Verdict {
    /// One for the model.
    Chat(Box<Ask>),
    /// One answered from a table.
    Json(Value),
}

/// A request that the vendor refuses.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The message, which also stands in the body.
    pub message: String,
    /// Headers that come with it.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub payload: Payload,
}

/// An error's body.
#[derive(Clone, Debug)]
pub enum Payload {
    /// The vendor's own.
    Json(Value),
    /// What the vendor's edge sends when nothing stands behind it.
    Html(String),
}

/// One vendor's wire format.
pub trait Dialect: Sync {
    /// The vendor as its answers name it.
    fn name(&self) -> &'static str;
    /// Accepts or refuses a request as the vendor does.
    fn judge(&self, received: &Received<'_>) -> Result<Verdict, Refusal>;
    /// The vendor's own error for a status; a default message stands in when there is none.
    fn error(&self, status: u16, message: Option<&str>) -> Refusal;
    /// Headers that come with every answer.
    fn headers(&self, index: u64) -> Vec<(String, String)>;
    /// The content type of answers in one part.
    fn json_type(&self) -> &'static str {
        "application/json"
    }
    /// The content type of streams.
    fn stream_type(&self, ask: &Ask) -> &'static str;
    /// The answer in one part.
    fn answer(&self, ask: &Ask, answer: &Answer, index: u64) -> Value;
    /// The answer as a stream: every event with its line ends.
    fn events(&self, ask: &Ask, answer: &Answer, index: u64, pieces: Option<usize>) -> Vec<String>;
    /// An error inside a stream.
    fn stream_error(&self, refusal: &Refusal, as_data: bool) -> String;
    /// An event whose data isn't JSON.
    fn malformed_event(&self) -> String {
        "data: {\"broken\n\n".to_owned()
    }
    /// The largest body accepted, in bytes.
    fn largest_body(&self) -> usize;
    /// The refusal of a larger one.
    fn too_large(&self) -> Refusal {
        self.error(413, None)
    }
}

/// The page that a content network sends in front of a vendor that doesn't answer.
pub fn edge_page(status: u16) -> Payload {
    let title = if status == 504 { "504 Gateway Time-out" } else { "502 Bad Gateway" };
    Payload::Html(format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    ))
}

/// The one value of a header, `None` when it is absent or not text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The token of `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = header(headers, "authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether the content type is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let kind = header(headers, "content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Whether the string has 1 to `most` letters, all of them ASCII letters, digits or in `others`.
pub fn is_name(text: &str, most: usize, others: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || others.contains(letter);
    !text.is_empty() && text.len() <= most && text.chars().all(fits)
}

/// Describes a picture in base64: `image/png, 70 bytes`; `None` when the bytes aren't of that type. `lenient` as in [`decode`].
pub fn picture(media_type: &str, data: &str, lenient: bool) -> Option<String> {
    let bytes = decode(data, lenient)?;
    let right = match media_type {
        "image/png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        "image/jpeg" => bytes.starts_with(b"\xff\xd8\xff"),
        "image/gif" => bytes.starts_with(b"GIF8"),
        "image/webp" => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        "image/heic" | "image/heif" => bytes.get(4..8) == Some(b"ftyp"),
        _ => false,
    };
    right.then(|| format!("{media_type}, {} bytes", bytes.len()))
}

/// Runs `visit` on every object of a JSON schema, with the place of each: `('properties', 'x')`.
pub fn each_schema(schema: &Value, place: &mut Vec<String>, visit: &mut dyn FnMut(&Value, &[String])) {
    if !schema.is_object() {
        return;
    }
    visit(schema, place);
    for keyword in ["properties", "$defs", "definitions", "defs"] {
        for (name, inner) in schema[keyword].as_object().into_iter().flatten() {
            place.extend([keyword.to_owned(), name.clone()]);
            each_schema(inner, place, visit);
            place.truncate(place.len() - 2);
        }
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for (index, inner) in schema[keyword].as_array().into_iter().flatten().enumerate() {
            place.extend([keyword.to_owned(), index.to_string()]);
            each_schema(inner, place, visit);
            place.truncate(place.len() - 2);
        }
    }
    if schema["items"].is_object() {
        place.push("items".to_owned());
        each_schema(&schema["items"], place, visit);
        place.pop();
    }
}
