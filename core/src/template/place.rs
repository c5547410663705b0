//! Puts a template where its name stood: the system prompt and the messages before the client's own.

use super::Speaker;
use crate::dialect::ClientDialect;
use crate::dialect::texts::{add_system, prompts};
use crate::failure::Failure;

pub(super) fn expand(
    client: ClientDialect,
    body: &[u8],
    system: &str,
    messages: &[(Speaker, String)],
) -> Result<Vec<u8>, Failure> {
    let mut body = prompts::remove(client, body)?;
    if !messages.is_empty() {
        let messages: Vec<String> =
            messages.iter().map(|(speaker, text)| message(client, *speaker, text)).collect();
        body = prompts::put_before(client, &body, &messages.join(","))?;
    }
    if !system.is_empty()
        && let Some(added) = add_system(client, &body, system, "")?
    {
        body = added;
    }
    Ok(body)
}

/// A message in a client's dialect.
fn message(client: ClientDialect, speaker: Speaker, text: &str) -> String {
    // A text always serialises.
    let text = serde_json::to_string(text).unwrap_or_default();
    let role = match (client, speaker) {
        (_, Speaker::User) => "user",
        (ClientDialect::Gemini | ClientDialect::GeminiTokens, Speaker::Assistant) => "model",
        (_, Speaker::Assistant) => "assistant",
    };
    match client {
        ClientDialect::Gemini | ClientDialect::GeminiTokens => {
            format!(r#"{{"role":"{role}","parts":[{{"text":{text}}}]}}"#)
        }
        _ => format!(r#"{{"role":"{role}","content":{text}}}"#),
    }
}
