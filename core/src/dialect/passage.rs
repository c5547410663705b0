//! OpenAI's APIs whose bodies pass as they are: only who may call them, where they go and with which credential is the
//! gateway's.
//!
//! Paths from OpenAI's API reference and the official SDK (`openai` 3.52.0).

use std::ops::Range;

use memchr::memmem;
use percent_encoding::percent_decode_str;

use crate::failure::Failure;
use crate::json::{self, Raw, Text, object};

/// A call whose body passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    pub method: String,
    /// Behind the API's `/v1`, with its query.
    pub path: String,
    pub by: By,
}

/// What tells which provider is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The model that the body names, a JSON object or a form (`multipart/form-data`).
    Body,
    /// The model that the query names; the call becomes a WebSocket.
    Query { model: String },
    /// The policy: nothing in the call names a model.
    Policy,
}

/// The roots of what the body names the model of.
const WITH_MODEL: [&str; 8] = [
    "/images/generations",
    "/images/edits",
    "/images/variations",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/moderations",
    "/videos",
];

/// The roots of what belongs to an account.
const OF_ACCOUNT: [&str; 4] = ["/files", "/uploads", "/batches", "/fine_tuning"];

impl Passage {
    pub(super) fn of(method: &str, path_and_query: &str) -> Option<Self> {
        let path_and_query = path_and_query.strip_prefix("/v1").unwrap_or(path_and_query);
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        // Whoever resolves dots or doubled slashes later would find another path than was judged here.
        if path.split('/').skip(1).any(|segment| segment.is_empty() || is_dots(segment)) {
            return None;
        }
        let by = match (method, path) {
            ("GET", "/realtime") => {
                let model = query.split('&').find_map(|pair| pair.strip_prefix("model="))?;
                By::Query { model: percent_decode_str(model).decode_utf8().ok()?.into_owned() }
            }
            ("POST", path) if WITH_MODEL.contains(&path) => By::Body,
            ("GET" | "POST" | "DELETE", path) if OF_ACCOUNT.iter().any(|root| is_under(path, root)) => {
                By::Policy
            }
            _ => return None,
        };
        Some(Self { method: method.to_owned(), path: path_and_query.to_owned(), by })
    }

    /// The path for a provider that calls the model so.
    pub(crate) fn path_for(&self, model: &str) -> String {
        let By::Query { .. } = self.by else { return self.path.clone() };
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let renamed = query.split('&').map(|pair| match pair.starts_with("model=") {
            true => format!(
                "model={}",
                percent_encoding::utf8_percent_encode(model, percent_encoding::NON_ALPHANUMERIC)
            ),
            false => pair.to_owned(),
        });
        format!("{path}?{}", renamed.collect::<Vec<_>>().join("&"))
    }
}

fn is_under(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_dots(segment: &str) -> bool {
    let segment = segment.replace("%2e", ".").replace("%2E", ".");
    segment == "." || segment == ".." || segment.to_ascii_lowercase().contains("%2f")
}

/// The model that a body names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) model: String,
    /// Where its name stands in the body, as it is written there.
    place: Range<usize>,
    is_json: bool,
}

impl Named {
    /// Finds the model in a body of this media type.
    pub(crate) fn find(content_type: &str, body: &[u8]) -> Result<Self, Failure> {
        match boundary(content_type) {
            Some(boundary) => Self::in_form(boundary, body),
            None => Self::in_json(body),
        }
    }

    /// The body with another model's name in the place of this one; `None` when it is the same.
    pub(crate) fn rename(&self, body: &[u8], model: &str) -> Option<Vec<u8>> {
        if self.model == model {
            return None;
        }
        let name = match self.is_json {
            true => serde_json::to_string(model).ok()?,
            false => model.to_owned(),
        };
        let mut renamed = Vec::with_capacity(body.len() + name.len());
        renamed.extend_from_slice(body.get(..self.place.start)?);
        renamed.extend_from_slice(name.as_bytes());
        renamed.extend_from_slice(body.get(self.place.end..)?);
        Some(renamed)
    }

    fn in_json(body: &[u8]) -> Result<Self, Failure> {
        object! {
            struct Body<'a> {
                "model" => model: Raw<'a>,
                ..
            }
        }
        let read: Body<'_> = json::read(body).map_err(super::malformed)?;
        let raw = read.model.ok_or_else(missing)?;
        let model: Text<'_> = raw.read().map_err(|_| Failure::invalid_value("model", "has to be a text"))?;
        let start = (raw.get().as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
        Ok(Self { model: model.into_owned(), place: start..start + raw.get().len(), is_json: true })
    }

    /// Finds the field `model` of a form (RFC 7578).
    fn in_form(boundary: &str, body: &[u8]) -> Result<Self, Failure> {
        let delimiter = format!("--{boundary}");
        let mut found = None;
        let mut ends = memmem::find_iter(body, &delimiter).peekable();
        while let Some(start) = ends.next() {
            let end = ends.peek().copied().unwrap_or(body.len());
            let part = start + delimiter.len()..end;
            let Some(content) = body.get(part.clone()).and_then(field_of_model) else { continue };
            // Two readers of one form could otherwise each believe another field.
            if found.replace(part.start + content.start..part.start + content.end).is_some() {
                return Err(Failure::invalid(
                    "The form has the field model twice.",
                    Some("model".to_owned()),
                )
                .code("duplicate_key"));
            }
        }
        let place = found.ok_or_else(missing)?;
        let text = body.get(place.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let model = text.ok_or_else(|| Failure::invalid_value("model", "has to be UTF-8"))?.to_owned();
        Ok(Self { model, place, is_json: false })
    }
}

/// Where the content of a part stands in it, when it is the field `model`.
fn field_of_model(part: &[u8]) -> Option<Range<usize>> {
    let end_of_head = memmem::find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(part.get(..end_of_head)?).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let is_model = disposition.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("name") && value.trim().trim_matches('"') == "model"
    });
    let start = end_of_head + 4;
    // The line end before the delimiter is the delimiter's.
    let end = part.len().checked_sub(2)?;
    (is_model && part.get(end..)? == b"\r\n" && start <= end).then_some(start..end)
}

pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (media_type, parameters) = content_type.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut boundaries = parameters.split(';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then_some(value)
    });
    // Two readers of one form could otherwise each believe another boundary.
    boundaries.next().filter(|_| boundaries.next().is_none())
}

fn missing() -> Failure {
    Failure::invalid("Missing required parameter: 'model'.", Some("model".to_owned()))
        .code("missing_required_parameter")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORM: &str = "multipart/form-data; boundary=xyz";

    fn form(fields: &[(&str, &str)]) -> Vec<u8> {
        let part = |(name, value): &(&str, &str)| {
            format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        format!("{}--xyz--\r\n", fields.iter().map(part).collect::<String>()).into_bytes()
    }

    #[test]
    fn calls_are_told_by_their_paths() {
        let by = |method, path| Passage::of(method, path).map(|passage| passage.by);
        assert_eq!(by("POST", "/v1/images/generations"), Some(By::Body));
        assert_eq!(by("POST", "/audio/transcriptions"), Some(By::Body));
        assert_eq!(by("GET", "/v1/files/file-1/content"), Some(By::Policy));
        assert_eq!(by("DELETE", "/v1/files/file-1"), Some(By::Policy));
        assert_eq!(by("POST", "/v1/batches/b/cancel"), Some(By::Policy));
        let model = "gpt-realtime".to_owned();
        assert_eq!(by("GET", "/v1/realtime?model=gpt%2Drealtime"), Some(By::Query { model }));
        for (method, path) in [
            ("GET", "/v1/realtime"),
            ("GET", "/v1/images/generations"),
            ("POST", "/v1/filesystem"),
            ("GET", "/v1/files/../organization/admin_api_keys"),
            ("GET", "/v1/files/%2e%2E/organization"),
            ("GET", "/v1/files/..%2forganization"),
            ("GET", "/v1/files//x"),
            ("PUT", "/v1/files/x"),
        ] {
            assert_eq!(by(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn a_model_is_renamed_and_nothing_else() {
        let body = br#"{"prompt": "a\u00e9", "model" : "cl\u0061ss" ,"n":1.0}"#;
        let named = Named::find("application/json", body).expect("names a model");
        assert_eq!((named.model.as_str(), named.rename(body, "class")), ("class", None));
        let renamed = named.rename(body, "x\"y").expect("changes");
        assert_eq!(renamed, br#"{"prompt": "a\u00e9", "model" : "x\"y" ,"n":1.0}"#);

        let body = form(&[("file", "--xy\r\n\r\nmodel"), ("model", "whisper-1"), ("language", "en")]);
        let named = Named::find(FORM, &body).expect("names a model");
        assert_eq!(named.model, "whisper-1");
        let renamed = named.rename(&body, "gpt-4o-transcribe").expect("changes");
        assert_eq!(
            renamed,
            form(&[("file", "--xy\r\n\r\nmodel"), ("model", "gpt-4o-transcribe"), ("language", "en")])
        );
    }

    #[test]
    fn what_names_no_model_or_two_is_refused() {
        let code = |content_type, body: &[u8]| {
            Named::find(content_type, body).map(|named| named.model).map_err(|failure| failure.code)
        };
        assert_eq!(code("application/json", b"{}"), Err(Some("missing_required_parameter".into())));
        assert_eq!(code("application/json", br#"{"model":1}"#), Err(Some("invalid_value".into())));
        assert_eq!(code(FORM, &form(&[("file", "x")])), Err(Some("missing_required_parameter".into())));
        let twice = form(&[("model", "a"), ("model", "b")]);
        assert_eq!(code(FORM, &twice), Err(Some("duplicate_key".into())));
    }

    #[test]
    fn a_path_is_renamed_in_its_query() {
        let passage = Passage::of("GET", "/v1/realtime?model=a&x=1").expect("passes");
        assert_eq!(passage.path_for("b/c"), "/realtime?model=b%2Fc&x=1");
    }

    proptest! {
        #[test]
        fn no_form_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Named::find(FORM, &body);
            let _ = Named::find("application/json", &body);
        }

        #[test]
        fn a_form_cut_anywhere_names_what_it_names(cut in 0_usize..200) {
            let body = form(&[("file", "x"), ("model", "whisper-1")]);
            if let Ok(named) = Named::find(FORM, &body[..cut.min(body.len())]) {
                prop_assert!("whisper-1".starts_with(&named.model));
            }
        }
    }
}
