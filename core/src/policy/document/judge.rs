//! `judge` of a guard: the outside service that is asked about a text, and what holds where it doesn't answer.

use std::collections::HashSet;
use std::time::Duration;

use super::access::read_names;
use super::guards::read_threshold;
use super::providers::read_variable;
use super::source::{SourcePlace, read_cluster, read_path};
use super::{ModelEntry, ProviderEntry, guards};
use crate::access::Patterns;
use crate::dialect::ProviderDialect;
use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;
use crate::policy::{Endpoint, Faults};

/// A guard of the kind `judge`.
#[derive(Clone, Debug)]
pub struct JudgeEntry {
    pub asks: JudgeAsks,
    /// How long its answer is waited for.
    pub timeout: Duration,
    /// Whether what it gives no verdict on goes on.
    pub fails_open: bool,
    /// The windows in which it judges streams; `None` where it judges them as wholes.
    pub window: Option<WindowEntry>,
}

/// How much of a stream a judge is asked about at once, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowEntry {
    /// What is new since it was asked last: so much at least.
    pub characters: usize,
    /// What came before that in the same text: so much at most.
    pub overlap: usize,
}

/// Whom a judge asks, and what.
#[derive(Clone, Debug)]
pub enum JudgeAsks {
    /// OpenAI's moderations, or an API that is compatible with them.
    Moderation {
        provider: String,
        /// The vendor's own default where it is not said.
        model: Option<String>,
        /// From which score on, in thousandths; the vendor's own word counts without one.
        threshold: Option<u32>,
        /// The categories that matter, with `*` for any characters; all of them where it is not said.
        categories: Vec<String>,
    },
    /// A model of a provider's, with the operator's instruction.
    Chat { provider: String, model: String, instruction: String },
    /// A service of the operator's.
    Webhook {
        place: SourcePlace,
        /// With its query.
        path: String,
        /// The environment variable of its bearer token.
        credential: Option<String>,
    },
}

impl JudgeEntry {
    /// The cluster by which the service is reached that the guard of this name asks.
    pub fn cluster(&self, guard: &str) -> String {
        match &self.asks {
            JudgeAsks::Moderation { provider, .. } | JudgeAsks::Chat { provider, .. } => {
                format!("sluice-judge/{provider}")
            }
            JudgeAsks::Webhook { place: SourcePlace::Endpoint(_), .. } => {
                format!("sluice-judge-webhook/{guard}")
            }
            JudgeAsks::Webhook { place: SourcePlace::Cluster(name), .. } => name.clone(),
        }
    }

    /// The provider whose API is asked, by its name.
    pub fn provider(&self) -> Option<&str> {
        match &self.asks {
            JudgeAsks::Moderation { provider, .. } | JudgeAsks::Chat { provider, .. } => Some(provider),
            JudgeAsks::Webhook { .. } => None,
        }
    }

    /// The environment variable of a credential of its own.
    pub fn credential(&self) -> Option<&str> {
        match &self.asks {
            JudgeAsks::Webhook { credential, .. } => credential.as_deref(),
            JudgeAsks::Moderation { .. } | JudgeAsks::Chat { .. } => None,
        }
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60);
const WINDOW: std::ops::RangeInclusive<u64> = 50..=100_000;
/// An overlap is no longer than so many windows, so that no character is asked about in more than so many questions besides its own.
const MOST_WINDOWS: u64 = 10;

/// The vendors' APIs that judges may ask: their names, and what is known of them.
#[derive(Clone, Copy)]
pub(super) struct Vendors<'a> {
    pub(super) names: &'a HashSet<String>,
    pub(super) entries: &'a [ProviderEntry],
}

/// The fields of a guard that are a judge's alone.
pub(super) fn read_judge(
    fields: &mut Fields<'_>,
    path: &str,
    vendors: Vendors<'_>,
    faults: &mut Faults,
) -> Option<JudgeEntry> {
    let moderation = fields.optional("moderation").map(|field| read_moderation(&field, vendors, faults));
    let chat = fields.optional("chat").map(|field| read_chat(&field, vendors, faults));
    let webhook = fields.optional("webhook").map(|field| read_webhook(&field, faults));
    let timeout = fields.optional("timeout").map(|field| read_timeout(&field, faults));
    let words = [("refuse", false), ("pass", true)];
    let on_failure = fields.optional("on_failure").map(|field| field.word(&words, faults));
    let window = fields.optional("stream").map(|field| read_stream(&field, faults));
    let mut all = [moderation, chat, webhook].into_iter().flatten();
    let (Some(asks), None) = (all.next(), all.next()) else {
        faults.add(path, "a judge has `moderation`, `chat` or `webhook`, one of them");
        return None;
    };
    Some(JudgeEntry {
        asks: asks?,
        timeout: timeout.unwrap_or(Some(DEFAULT_TIMEOUT))?,
        fails_open: on_failure.unwrap_or(Some(false))?,
        window: window.unwrap_or(Some(None))?,
    })
}

/// What a judge's fields have to fit: the directions that its guard looks at, and the models that it is for (all, where none are named).
pub(super) fn check(
    judge: &JudgeEntry,
    response: bool,
    names: Option<&[String]>,
    models: &[ModelEntry],
    path: &str,
    faults: &mut Faults,
) {
    if judge.window.is_some() && !response {
        faults.add(format!("{path}.stream"), "this guard looks at requests only, which are no streams");
    }
    let judged = names.map(Patterns::new);
    let mut models =
        models.iter().filter(|model| judged.as_ref().is_none_or(|names| names.matches(&model.name)));
    if let Some(model) = models.find(|model| model.idle_timeout <= judge.timeout) {
        let (name, idle) = (&model.name, humantime::format_duration(model.idle_timeout));
        faults.add(
            format!("{path}.timeout"),
            format!("has to be shorter than the `idle_timeout` of the model `{name}` ({idle}), which ends the wait"),
        );
    }
}

/// `hold`, or the windows in which streams are judged.
fn read_stream(field: &Field<'_>, faults: &mut Faults) -> Option<Option<WindowEntry>> {
    if let Node::Text(_) = field.node {
        return field.word(&[("hold", None)], faults);
    }
    let mut fields = Fields::of(field, faults)?;
    let window = fields.required("window", faults).and_then(|field| field.integer(WINDOW, faults));
    let most = window.unwrap_or(*WINDOW.end()) * MOST_WINDOWS;
    let overlap = fields.optional("overlap").map(|field| field.integer(0..=most, faults));
    fields.finish(faults);
    let window = window?;
    let overlap = overlap.unwrap_or(Some(window / 4))?;
    Some(Some(WindowEntry {
        characters: usize::try_from(window).ok()?,
        overlap: usize::try_from(overlap).ok()?,
    }))
}

fn read_moderation(field: &Field<'_>, vendors: Vendors<'_>, faults: &mut Faults) -> Option<JudgeAsks> {
    let mut fields = Fields::of(field, faults)?;
    let provider = read_provider(&mut fields, vendors, Some(ProviderDialect::OpenAi), faults);
    let model = fields.optional("model").map(|field| read_text(&field, faults));
    let threshold = fields.optional("threshold").map(|field| read_threshold(&field, faults));
    let categories = fields.optional("categories").map(|field| read_names(&field, faults));
    fields.finish(faults);
    Some(JudgeAsks::Moderation {
        provider: provider?,
        model: model.map_or(Some(None), |model| model.map(Some))?,
        threshold: threshold.map_or(Some(None), |threshold| threshold.map(Some))?,
        categories: categories.unwrap_or_default(),
    })
}

fn read_chat(field: &Field<'_>, vendors: Vendors<'_>, faults: &mut Faults) -> Option<JudgeAsks> {
    let mut fields = Fields::of(field, faults)?;
    let provider = read_provider(&mut fields, vendors, None, faults);
    let model = fields.required("model", faults).and_then(|field| read_text(&field, faults));
    let instruction = fields.required("instruction", faults).and_then(|field| read_text(&field, faults));
    fields.finish(faults);
    Some(JudgeAsks::Chat { provider: provider?, model: model?, instruction: instruction? })
}

fn read_webhook(field: &Field<'_>, faults: &mut Faults) -> Option<JudgeAsks> {
    let mut fields = Fields::of(field, faults)?;
    let url = fields.optional("url").map(|field| read_url(&field, faults));
    let cluster = fields.optional("cluster").map(|field| read_cluster(&field, faults));
    let path = fields.optional("path").map(|field| (read_path(&field, faults), field.path));
    let credential = fields.optional("credential").map(|field| read_credential(&field, faults));
    fields.finish(faults);
    let (place, path) = match (url, cluster, path) {
        (Some(url), None, None) => url?,
        (None, Some(cluster), Some((path, _))) => (SourcePlace::Cluster(cluster?), path?),
        (Some(_), None, Some((_, path))) => {
            faults.add(path, "is a part of `url`; it stands beside `cluster`");
            return None;
        }
        _ => {
            faults.add(&field.path, "needs `url`, or `cluster` and `path`");
            return None;
        }
    };
    let credential = credential.map_or(Some(None), |credential| credential)?;
    Some(JudgeAsks::Webhook { place, path, credential })
}

/// The name of a provider; `dialect`: the one that it has to speak.
fn read_provider(
    fields: &mut Fields<'_>,
    vendors: Vendors<'_>,
    dialect: Option<ProviderDialect>,
    faults: &mut Faults,
) -> Option<String> {
    let field = fields.required("provider", faults)?;
    let name = field.text(faults)?;
    if !vendors.names.contains(name) {
        faults.add(&field.path, format!("there is no provider `{name}`"));
        return None;
    }
    let entry = vendors.entries.iter().find(|entry| entry.name == name);
    if let (Some(entry), Some(dialect)) = (entry, dialect)
        && entry.dialect != dialect
    {
        faults.add(&field.path, format!("`{name}` is not of the dialect {}", dialect.name()));
    }
    Some(name.to_owned())
}

fn read_text(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    if text.trim().is_empty() {
        faults.add(&field.path, "is empty");
        return None;
    }
    Some(text.to_owned())
}

/// An address with its path; nothing of the path is changed.
fn read_url(field: &Field<'_>, faults: &mut Faults) -> Option<(SourcePlace, String)> {
    let text = field.text(faults)?;
    let host = text.find("://").map_or(0, |at| at + 3);
    let end = text.get(host..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(text.len(), |at| host + at);
    let (address, path) = text.split_at(end);
    let path = if path.is_empty() { "/" } else { path };
    let endpoint = Endpoint::parse(address)
        // Not shown: somebody may have put a secret into it.
        .map_err(|reason| faults.add(&field.path, format!("the address {reason}")))
        .ok()?;
    let node = Node::Text(path.to_owned());
    let path = read_path(&Field { path: field.path.clone(), node: &node }, faults)?;
    Some((SourcePlace::Endpoint(endpoint), path))
}

fn read_credential(field: &Field<'_>, faults: &mut Faults) -> Option<Option<String>> {
    if let Node::Text(word) = field.node {
        if word == "none" {
            return Some(None);
        }
        // The text itself is not shown: somebody may have put the secret there.
        faults.add(&field.path, "has to be `none` or name an environment variable: {env: NAME}");
        return None;
    }
    let mut fields = Fields::of(field, faults)?;
    let name = fields.required("env", faults).and_then(|field| read_variable(&field, faults));
    fields.finish(faults);
    name.map(Some)
}

fn read_timeout(field: &Field<'_>, faults: &mut Faults) -> Option<Duration> {
    let timeout = field.duration(faults)?;
    if !TIMEOUT.contains(&timeout) {
        faults.add(&field.path, "has to lie between 50ms and 1m");
        return None;
    }
    Some(timeout)
}

impl guards::GuardEntry {
    /// What is special of a guard of the kind `judge`.
    pub fn judge(&self) -> Option<&JudgeEntry> {
        match &self.kind {
            guards::GuardKind::Judge(judge) => Some(judge),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Document;

    fn read(guard: &str) -> Result<JudgeEntry, Vec<String>> {
        let text = format!(
            "version: 1\nproviders:\n  openai: {{dialect: openai, endpoint: 'https://a.test/v1', credential: none}}\n  \
             claude: {{dialect: anthropic, endpoint: 'https://b.test', credential: none}}\nmodels: \
             {{gpt: {{targets: [{{provider: openai, model: gpt}}], idle_timeout: 20s}}}}\nguards: [{{name: j, kind: judge, {guard}}}]\n"
        );
        let document = Document::parse(text.as_bytes())
            .map_err(|faults| faults.0.into_iter().map(|fault| fault.path).collect::<Vec<_>>())?;
        Ok(document.guards[0].judge().expect("is one").clone())
    }

    #[test]
    fn a_judge_is_a_moderation_a_model_or_a_webhook() {
        let judge = read("moderation: {provider: openai}").unwrap();
        assert_eq!((judge.timeout, judge.fails_open), (DEFAULT_TIMEOUT, false));
        assert_eq!(judge.cluster("j"), "sluice-judge/openai");
        let judge = read("chat: {provider: claude, model: haiku, instruction: 'No poems.'}, timeout: 5s, on_failure: pass, stream: hold")
            .unwrap();
        assert_eq!((judge.timeout.as_secs(), judge.fails_open), (5, true));
        let judge = read(
            "webhook: {url: 'https://c.test:8443/a/?v=1', credential: {env: TOKEN}}, on: [request, response]",
        );
        let judge = judge.unwrap();
        assert_eq!(judge.cluster("j"), "sluice-judge-webhook/j");
        let JudgeAsks::Webhook { place: SourcePlace::Endpoint(endpoint), path, credential } = judge.asks
        else {
            panic!("it is a webhook");
        };
        assert_eq!((endpoint.authority.as_str(), path.as_str()), ("c.test:8443", "/a/?v=1"));
        assert_eq!(credential.as_deref(), Some("TOKEN"));
        let judge = read("webhook: {cluster: dlp, path: /judge, credential: none}").unwrap();
        assert_eq!((judge.cluster("j").as_str(), judge.provider()), ("dlp", None));
        let JudgeAsks::Webhook { path, .. } = read("webhook: {url: 'http://c.test'}").unwrap().asks else {
            panic!("it is a webhook");
        };
        assert_eq!(path, "/");
    }

    #[test]
    fn streams_are_held_or_judged_in_windows() {
        let window = |stream: &str| {
            let judge = read(&format!("moderation: {{provider: openai}}, on: [request, response]{stream}"));
            judge.unwrap().window.map(|window| (window.characters, window.overlap))
        };
        assert_eq!(window(""), None);
        assert_eq!(window(", stream: hold"), None);
        assert_eq!(window(", stream: {window: 1000}"), Some((1000, 250)));
        assert_eq!(window(", stream: {window: 50, overlap: 500}"), Some((50, 500)));
        assert_eq!(window(", stream: {window: 100000, overlap: 0}"), Some((100_000, 0)));
    }

    #[test]
    fn a_judge_of_other_models_may_take_longer() {
        assert!(read("moderation: {provider: openai}, models: [other], timeout: 20s").is_ok());
        assert!(read("moderation: {provider: openai}, timeout: 19999ms").is_ok());
    }

    #[test]
    fn every_fault_is_told_by_its_path() {
        let own = "moderation: {provider: openai}";
        let long = "model: m, instruction: i";
        for (guard, path) in [
            (String::new(), ""),
            (format!("{own}, webhook: {{url: 'http://a'}}"), ""),
            ("moderation: {provider: nobody}".to_owned(), ".moderation.provider"),
            ("moderation: {provider: claude}".to_owned(), ".moderation.provider"),
            ("moderation: {}".to_owned(), ".moderation.provider"),
            ("moderation: {provider: openai, threshold: 2}".to_owned(), ".moderation.threshold"),
            ("moderation: {provider: openai, categories: []}".to_owned(), ".moderation.categories"),
            ("moderation: {provider: openai, colour: 1}".to_owned(), ".moderation.colour"),
            (format!("chat: {{provider: nobody, {long}}}"), ".chat.provider"),
            ("chat: {provider: claude, model: m}".to_owned(), ".chat.instruction"),
            ("chat: {provider: claude, model: '', instruction: i}".to_owned(), ".chat.model"),
            ("webhook: {}".to_owned(), ".webhook"),
            ("webhook: {cluster: a}".to_owned(), ".webhook"),
            ("webhook: {url: 'http://a', path: /b}".to_owned(), ".webhook.path"),
            ("webhook: {url: 'ftp://a/b'}".to_owned(), ".webhook.url"),
            ("webhook: {url: 'http://user:secret@a/b'}".to_owned(), ".webhook.url"),
            ("webhook: {url: 'http://a/b', credential: secret}".to_owned(), ".webhook.credential"),
            (format!("{own}, timeout: 1ms"), ".timeout"),
            (format!("{own}, timeout: 2m"), ".timeout"),
            (format!("{own}, on_failure: wait"), ".on_failure"),
            (format!("{own}, on: [response], stream: windows"), ".stream"),
            (format!("{own}, on: [response], stream: {{overlap: 1}}"), ".stream.window"),
            (format!("{own}, on: [response], stream: {{window: 49}}"), ".stream.window"),
            (format!("{own}, on: [response], stream: {{window: 100001}}"), ".stream.window"),
            (format!("{own}, on: [response], stream: {{window: 100, overlap: 1001}}"), ".stream.overlap"),
            (format!("{own}, on: [response], stream: {{window: 100, overlap: -1}}"), ".stream.overlap"),
            (format!("{own}, on: [response], stream: {{window: 100, step: 5}}"), ".stream.step"),
            (format!("{own}, stream: {{window: 100}}"), ".stream"),
            (format!("{own}, models: [g*], timeout: 20s"), ".timeout"),
            (format!("{own}, action: {{replace: x}}"), ".action"),
            (format!("{own}, on: [response], action: {{reroute: gpt}}"), ".action"),
            (format!("{own}, when: {{providers: [openai]}}"), ".when"),
        ] {
            assert_eq!(read(&guard).unwrap_err(), [format!("guards[0]{path}")], "{guard}");
        }
    }
}
