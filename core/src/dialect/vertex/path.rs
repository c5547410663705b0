//! Where a model is: under a project, a region and a publisher.

use crate::dialect::Wanted;
use crate::dialect::gemini::write_segment;
use crate::failure::Failure;
use crate::policy::Provider;

/// The version of the API; an endpoint whose path ends in one says it itself.
const VERSIONS: [&str; 3] = ["/v1", "/v1beta1", "/v1beta"];

/// Whether a model is Claude, which Vertex AI serves in Anthropic's own format.
pub(crate) fn is_claude(model: &str) -> bool {
    publisher_of(model) == "anthropic"
}

/// The path of a model with a method, which begins with a colon.
///
/// A model is named by its name alone, by `publishers/<publisher>/models/<name>`, or, deployed by the operator himself, by
/// `endpoints/<id>`.
pub(super) fn path(wanted: Wanted<'_>, method: &str) -> Result<String, Failure> {
    let mut path = location(wanted.provider)?;
    match wanted.model.strip_prefix("endpoints/") {
        Some(id) => {
            path.push_str("/endpoints/");
            write_segment(id, &mut path);
        }
        None => {
            path.push_str("/publishers/");
            write_segment(publisher_of(wanted.model), &mut path);
            path.push_str("/models/");
            let name = wanted.model.rsplit_once("models/").map_or(wanted.model, |(_, name)| name);
            write_segment(name, &mut path);
        }
    }
    path.push_str(method);
    Ok(path)
}

/// Where the tokens of requests to Claude are counted, whichever Claude it is.
pub(super) fn count_claude(provider: &Provider) -> Result<String, Failure> {
    Ok(format!("{}/publishers/anthropic/models/count-tokens:rawPredict", location(provider)?))
}

/// The project and the region. The region `global` has no meaning of its own here: its endpoint is another one.
fn location(provider: &Provider) -> Result<String, Failure> {
    let (Some(project), Some(region)) = (&provider.project, &provider.region) else {
        return Err(Failure::operator("The provider has no project or region."));
    };
    let has_version = VERSIONS.iter().any(|version| provider.endpoint.path.ends_with(version));
    let mut path = if has_version { String::new() } else { "/v1".to_owned() };
    path.push_str("/projects/");
    write_segment(project, &mut path);
    path.push_str("/locations/");
    write_segment(region, &mut path);
    Ok(path)
}

fn publisher_of(model: &str) -> &str {
    let named = model.strip_prefix("publishers/").and_then(|rest| rest.split_once('/'));
    match named {
        Some((publisher, _)) => publisher,
        None if model.starts_with("claude") => "anthropic",
        None => "google",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::ProviderDialect;

    #[test]
    fn every_model_has_its_publisher() {
        let mut provider = Provider::for_tests(ProviderDialect::Vertex);
        let at = |model: &str, provider: &Provider| {
            path(Wanted { model, default_max_tokens: None, provider }, ":x").expect("has a path")
        };
        let start = "/v1/projects/project-1/locations/eu-central-1";
        for (model, rest) in [
            ("gemini-2.5-pro", "/publishers/google/models/gemini-2.5-pro:x"),
            ("claude-sonnet-4-5@20250929", "/publishers/anthropic/models/claude-sonnet-4-5@20250929:x"),
            ("publishers/google/models/gemini-x", "/publishers/google/models/gemini-x:x"),
            ("publishers/anthropic/models/claude-x", "/publishers/anthropic/models/claude-x:x"),
            ("endpoints/123", "/endpoints/123:x"),
            ("../a?b:c", "/publishers/google/models/..%2Fa%3Fb%3Ac:x"),
        ] {
            assert_eq!(at(model, &provider), format!("{start}{rest}"), "{model}");
            assert_eq!(is_claude(model), rest.contains("anthropic"), "{model}");
        }
        assert_eq!(
            count_claude(&provider).as_deref(),
            Ok(&*format!("{start}/publishers/anthropic/models/count-tokens:rawPredict"))
        );
        provider.endpoint.path = "/v1beta1".to_owned();
        assert!(at("gemini-x", &provider).starts_with("/projects/project-1/"));
        provider.project = None;
        let wanted = Wanted { model: "m", default_max_tokens: None, provider: &provider };
        assert!(path(wanted, ":x").is_err_and(|failure| failure.status == 500));
    }
}
