//! Tokens, private keys and credentials in addresses, whoever made them.

use super::prelude::*;

pub static RULES: &[Rule] = &[
    Rule {
        name: "private_key",
        label: "PRIVATE_KEY",
        packs: &[Secrets],
        on: true,
        rank: SURE,
        patterns: &[
            Pattern::new(r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----[ \n\r\t]{0,4}[A-Za-z0-9+/]{4}").tail(Tail::Pem),
            Pattern::new(r"PuTTY-User-Key-File-\d: [a-z0-9-]{3,30}").tail(Tail::Pem),
        ],
    },
    Rule {
        name: "jwt",
        label: "JWT",
        packs: &[Secrets],
        on: true,
        rank: SURE,
        patterns: &[Pattern::new(r"e[yw][A-Za-z0-9_-]{14}").check(secret::jose_header).tail(Tail::Word("-.="))],
    },
    Rule {
        name: "url_credentials",
        label: "URL_CREDENTIALS",
        packs: &[Secrets],
        on: true,
        rank: SHAPED,
        patterns: &[
            Pattern::new(r#"[A-Za-z][A-Za-z0-9+.-]{1,19}://[^\s:/@"'<>]{0,64}:[^\s/@"'<>]{1,128}@[A-Za-z0-9_.:-]{1,64}"#).part(network::userinfo),
        ],
    },
    Rule {
        name: "authorization",
        label: "AUTHORIZATION",
        packs: &[Secrets],
        on: true,
        rank: NEAR,
        patterns: &[
            Pattern::new(r"[A-Za-z0-9_.~+/-]{12}").check(secret::key).near(&["bearer"]).tail(Tail::Word("-.~+/=")),
            Pattern::new(r"[A-Za-z0-9+/]{8,}={0,2}").check(basic).near(&["authorization"]),
        ],
    },
];

/// Base 64 of a user, a colon and a password.
fn basic(text: &[u8]) -> bool {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    decoded.is_ok_and(|decoded| decoded.contains(&b':') && decoded.iter().all(|byte| matches!(byte, b' '..=b'~')))
}

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &[
            "key: «-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA04up8hoqzS1+APIB0RhjXyObwHQnOzhAk5Bd7mhkSbPkyhP1\niB2x\n-----END RSA PRIVATE KEY-----» done",
            "\"«-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\\n-----END PRIVATE KEY-----»\\n\"",
        ],
        misses: &["-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", "begins with -----BEGIN RSA PRIVATE KEY----- and so on"],
    },
    Examples {
        hits: &["«eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U»"],
        misses: &["eyJoZWxsbyI6IndvcmxkIn0", "eyebrows and eyelashes"],
    },
    Examples {
        hits: &["postgres://«app:s3cr3t!@db.example.com»/app", "redis://«:hunter2@cache:6379»", "https://«user:pass@example.com»"],
        misses: &["postgres://app@db/app", "http://host:80/a@b", "https://example.com:8443/@x", "postgres://app:${PASSWORD}@db/app"],
    },
    Examples { hits: &["Authorization: Bearer «abcdef1234567890XYZ»", "Authorization: Basic «dXNlcjpwYXNzd29yZA==»"], misses: &["the bearer of this letter", "basic understanding"] },
];
