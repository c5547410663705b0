//! The list of models, in the forms of OpenAI, Anthropic and Gemini: the gateway answers it itself.
//!
//! Taken from the official SDKs' types: `openai` 3.52.0, `anthropic` 2.11.0, `google-genai` 3.4.0.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::ClientDialect;
use crate::conversation::Field;
use crate::failure::{Failure, Kind};

/// A question about models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    form: Form,
    /// The one that is asked about; all when `None`.
    model: Option<String>,
    query: Query,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    OpenAi,
    Anthropic,
    Gemini,
}

/// Which page of a long list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Query {
    /// How many models a page has at most.
    size: Option<usize>,
    /// The page begins behind this model.
    after: Option<String>,
    /// The page ends before this model.
    before: Option<String>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    /// Not known; clients demand a number.
    created: u64,
    owned_by: &'static str,
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    /// Not known; Anthropic's own word for that.
    created_at: &'static str,
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: String,
    display_name: &'a str,
    supported_generation_methods: [&'static str; 3],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<&'a str>,
}

impl Listing {
    /// What a request asks about models. OpenAI's and Anthropic's lists have one path; who speaks Anthropic's dialect says
    /// its version, and who speaks Google's sends Google's key.
    pub(super) fn of(method: &str, path: &str, has_header: impl Fn(&str) -> bool) -> Option<Self> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if method != "GET" {
            return None;
        }
        let (form, rest) = match ["/v1/models", "/models", "/v1beta/models", "/v1beta1/models"]
            .iter()
            .find_map(|root| Some((*root, path.strip_prefix(root)?)))?
        {
            ("/v1/models", rest) if has_header("anthropic-version") => (Form::Anthropic, rest),
            ("/v1/models", rest) if has_header("x-goog-api-key") || has_header("x-goog-api-client") => {
                (Form::Gemini, rest)
            }
            ("/v1/models" | "/models", rest) => (Form::OpenAi, rest),
            (_, rest) => (Form::Gemini, rest),
        };
        let model = match rest {
            "" | "/" => None,
            rest => {
                let name = rest.strip_prefix('/')?;
                Some(percent_decode_str(name).decode_utf8().ok()?.into_owned())
            }
        };
        Some(Self { form, model, query: Query::read(query) })
    }

    pub(super) fn client(&self) -> ClientDialect {
        match self.form {
            Form::OpenAi => ClientDialect::OpenAiChat,
            Form::Anthropic => ClientDialect::Anthropic,
            Form::Gemini => ClientDialect::Gemini,
        }
    }

    /// The answer, given the names of the models that this caller may use.
    pub fn answer(&self, mut names: Vec<&str>) -> Result<Vec<u8>, Failure> {
        names.sort_unstable();
        let written = match &self.model {
            Some(model) => {
                let known = names.into_iter().find(|name| name == model);
                self.one(known.ok_or_else(|| self.unknown(model))?)
            }
            None => self.page(&names),
        };
        written.map_err(|_| Failure::operator("The list of models could not be written."))
    }

    fn unknown(&self, name: &str) -> Failure {
        let name: String = name.chars().take(128).collect();
        let parameter = Some(self.client().name(Field::Model));
        let failure = Failure::invalid(format!("There is no model '{name}' here."), parameter);
        Failure { status: 404, kind: Kind::NotFound, ..failure }.code("model_not_found")
    }

    fn one(&self, name: &str) -> serde_json::Result<Vec<u8>> {
        match self.form {
            Form::OpenAi => serde_json::to_vec(&OpenAiModel::from(name)),
            Form::Anthropic => serde_json::to_vec(&AnthropicModel::from(name)),
            Form::Gemini => serde_json::to_vec(&GeminiModel::from(name)),
        }
    }

    fn page(&self, names: &[&str]) -> serde_json::Result<Vec<u8>> {
        if self.form == Form::OpenAi {
            // OpenAI's list has no pages.
            let data = names.iter().map(|name| OpenAiModel::from(*name)).collect();
            return serde_json::to_vec(&OpenAiList { object: "list", data });
        }
        let Query { size, after, before } = &self.query;
        let wanted: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| after.as_deref().is_none_or(|after| *name > after))
            .filter(|name| before.as_deref().is_none_or(|before| *name < before))
            .collect();
        let size = size.unwrap_or(wanted.len());
        // A page that ends before something is the last one of what comes before it.
        let skipped = if before.is_some() { wanted.len().saturating_sub(size) } else { 0 };
        let page: Vec<&str> = wanted.iter().copied().skip(skipped).take(size).collect();
        let has_more = page.len() < wanted.len();
        match self.form {
            Form::OpenAi | Form::Anthropic => serde_json::to_vec(&AnthropicList {
                has_more,
                first_id: page.first().copied(),
                last_id: page.last().copied(),
                data: page.into_iter().map(AnthropicModel::from).collect(),
            }),
            Form::Gemini => serde_json::to_vec(&GeminiList {
                next_page_token: page.last().copied().filter(|_| has_more),
                models: page.into_iter().map(GeminiModel::from).collect(),
            }),
        }
    }
}

impl Query {
    /// Anthropic's `limit`, `after_id` and `before_id`; Gemini's `pageSize` and `pageToken`.
    fn read(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let text = || percent_decode_str(value).decode_utf8().ok().map(Cow::into_owned);
            match name {
                "limit" | "pageSize" => read.size = value.parse().ok().filter(|size| *size > 0),
                "after_id" | "pageToken" => read.after = text().filter(|text| !text.is_empty()),
                "before_id" => read.before = text().filter(|text| !text.is_empty()),
                _ => {}
            }
        }
        read
    }
}

impl<'a> From<&'a str> for OpenAiModel<'a> {
    fn from(id: &'a str) -> Self {
        Self { id, object: "model", created: 0, owned_by: "sluice" }
    }
}

impl<'a> From<&'a str> for AnthropicModel<'a> {
    fn from(id: &'a str) -> Self {
        Self { r#type: "model", id, display_name: id, created_at: "1970-01-01T00:00:00Z" }
    }
}

impl<'a> From<&'a str> for GeminiModel<'a> {
    fn from(name: &'a str) -> Self {
        Self {
            name: format!("models/{name}"),
            display_name: name,
            supported_generation_methods: ["generateContent", "streamGenerateContent", "countTokens"],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NAMES: [&str; 3] = ["b/two", "a", "c"];

    fn ask(path: &str, header: &str) -> Result<Value, u16> {
        let listing = Listing::of("GET", path, |name| name == header).expect("is a question about models");
        let answer = listing.answer(NAMES.to_vec()).map_err(|failure| failure.status)?;
        Ok(serde_json::from_slice(&answer).expect("is JSON"))
    }

    fn ids(answer: &Value) -> Vec<&str> {
        let list = answer.get("data").or(answer.get("models")).and_then(Value::as_array).expect("a list");
        list.iter().filter_map(|model| model.get("id").or(model.get("name"))?.as_str()).collect()
    }

    #[test]
    fn each_client_gets_its_own_form() {
        let openai = ask("/v1/models?x=1", "").expect("a list");
        assert_eq!((ids(&openai), &openai["object"]), (vec!["a", "b/two", "c"], &json!("list")));
        let anthropic = ask("/v1/models", "anthropic-version").expect("a list");
        assert_eq!((ids(&anthropic), &anthropic["has_more"]), (vec!["a", "b/two", "c"], &json!(false)));
        let gemini = ask("/v1beta/models", "").expect("a list");
        assert_eq!(ids(&gemini), ["models/a", "models/b/two", "models/c"]);
        assert_eq!(ids(&ask("/v1/models", "x-goog-api-key").expect("a list")).len(), 3);
    }

    #[test]
    fn one_model_is_told_or_is_not_there() {
        assert_eq!(ask("/v1/models/b%2Ftwo", "").expect("is there")["id"], "b/two");
        assert_eq!(ask("/v1beta/models/a", "").expect("is there")["name"], "models/a");
        assert_eq!(ask("/v1/models/d", "").expect_err("is not there"), 404);
        assert!(Listing::of("POST", "/v1/models", |_| false).is_none());
        assert!(Listing::of("GET", "/v1/modelsx", |_| false).is_none());
    }

    #[test]
    fn a_long_list_has_pages() {
        let first = ask("/v1/models?limit=2", "anthropic-version").expect("a page");
        assert_eq!((ids(&first), &first["has_more"]), (vec!["a", "b/two"], &json!(true)));
        let last = ask("/v1/models?limit=2&after_id=b%2Ftwo", "anthropic-version").expect("a page");
        assert_eq!((ids(&last), &last["has_more"]), (vec!["c"], &json!(false)));
        let before = ask("/v1/models?limit=1&before_id=c", "anthropic-version").expect("a page");
        assert_eq!(ids(&before), ["b/two"]);
        let gemini = ask("/v1beta/models?pageSize=1&pageToken=a", "").expect("a page");
        assert_eq!((ids(&gemini), &gemini["nextPageToken"]), (vec!["models/b/two"], &json!("b/two")));
    }
}
