//! `callers.jwt`: whom a token stands for that Envoy has verified.

use http::Uri;

use super::access::read_names;
use crate::identity::Template;
use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};

/// `callers.jwt`.
#[derive(Clone, Debug)]
pub struct JwtEntry {
    /// Under which key `jwt_authn` puts the claims into its metadata (`payload_in_metadata`).
    pub payload_metadata: String,
    pub user: Template,
    pub team: Option<Template>,
    pub roles: Vec<Template>,
    /// Who has to have issued the token; `None` where the operator sets `jwt_authn` up.
    pub issuer: Option<String>,
    /// One of these has to be the token's audience.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are.
    pub jwks_uri: Option<String>,
}

pub(super) fn read_jwt(field: &Field<'_>, faults: &mut Faults) -> Option<JwtEntry> {
    let mut fields = Fields::of(field, faults)?;
    let mut text = |name: &str, faults: &mut Faults| {
        let field = fields.optional(name)?;
        let text = field.text(faults)?;
        if text.is_empty() {
            faults.add(&field.path, "is empty");
        }
        Some(text.to_owned())
    };
    let payload_metadata = text("payload_metadata", faults);
    let issuer = text("issuer", faults);
    let user = fields.optional("user").and_then(|field| read_template(&field, faults));
    let team = fields.optional("team").and_then(|field| read_template(&field, faults));
    let roles = fields.optional("roles").map(|field| read_templates(&field, faults)).unwrap_or_default();
    let audiences = fields.optional("audiences").map(|field| read_names(&field, faults)).unwrap_or_default();
    let jwks_uri = fields.optional("jwks_uri").and_then(|field| read_uri(&field, faults));
    fields.finish(faults);
    if jwks_uri.is_some() {
        // Without them, a token that the issuer made for somebody else would do here.
        for (name, missing) in [("issuer", issuer.is_none()), ("audiences", audiences.is_empty())] {
            if missing {
                faults.add(format!("{}.{name}", field.path), "is missing: `jwks_uri` needs it");
            }
        }
    }
    Some(JwtEntry {
        payload_metadata: payload_metadata.unwrap_or_else(|| "sluice".to_owned()),
        user: user.or_else(|| Template::parse("sub").ok())?,
        team,
        roles,
        issuer,
        audiences,
        jwks_uri,
    })
}

fn read_template(field: &Field<'_>, faults: &mut Faults) -> Option<Template> {
    Template::parse(field.text(faults)?).map_err(|reason| faults.add(&field.path, reason)).ok()
}

fn read_templates(field: &Field<'_>, faults: &mut Faults) -> Vec<Template> {
    let names = read_names(field, faults);
    let template =
        |name: &String| Template::parse(name).map_err(|reason| faults.add(&field.path, reason)).ok();
    names.iter().filter_map(template).collect()
}

fn read_uri(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    let good = text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    if !good || text.contains('@') {
        faults.add(&field.path, "is not an https:// or http:// address");
        return None;
    }
    Some(text.to_owned())
}
