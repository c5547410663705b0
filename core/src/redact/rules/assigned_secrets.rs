//! What is assigned to something that is called a password, a secret, a key or a token.

use super::prelude::*;

const PASSWORD: &[&str] = &["password", "passwd", "pwd", "passphrase", "pass", "passcode", "kennwort", "passwort", "contrasena", "userpassword", "dbpassword", "rootpassword"];
const TOKEN: &[&str] = &[
    "secret", "secrets", "token", "api key", "apikey", "access key", "accesskey", "auth key", "private key", "client secret", "clientsecret", "access token", "refresh token", "auth token",
    "secret key", "secretkey", "encryption key", "signing key", "webhook secret", "credential", "credentials", "license key", "sharedaccesskey", "accountkey", "x-api-key", "authtoken", "session token",
    "connection key", "master key", "service key", "bot token",
];

pub static RULES: &[Rule] = &[
    Rule {
        name: "password",
        label: "PASSWORD",
        packs: &[Secrets],
        on: true,
        rank: VAGUE,
        patterns: &[Pattern::new(r#"[^\s"'`,;<>\\=:)\]}][^\s"'`,;<>\\]{5,63}"#).check(secret::password).assigned(PASSWORD)],
    },
    Rule {
        name: "assigned_secret",
        label: "SECRET",
        packs: &[Secrets],
        on: true,
        rank: VAGUE,
        patterns: &[Pattern::new(r#"[A-Za-z0-9_+/.~-][A-Za-z0-9_+/=.~:-]{15,199}"#).check(secret::token).assigned(TOKEN)],
    },
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &[
            "password = \"«hunter2-x»\"",
            "DB_PASSWORD=«p@ssw0rd123»",
            "{\"password\": \"«correct-h0rse»\"}",
            "pwd=«P@$$w0rd»",
            "Server=db;Uid=app;Pwd=«Tr0ub4dor»;",
            "{\\\"password\\\": \\\"«correct-h0rse»\\\"}",
        ],
        misses: &["password = os.environ['X']", "password: string", "password: ${DB_PASSWORD}", "password=$DB_PASSWORD", "password = get_password()", "password: ********", "the password is required", "password=password"],
    },
    Examples {
        hits: &["api_key = '«9f8e7d6c5b4a39281706f5e4d3c2b1a0»'", "SECRET_KEY: «x7Kp2mQ9vL4nR8tW3yB6»", "\"clientSecret\":\"«Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5»\""],
        misses: &["token = settings.api_token", "secret: kubernetes-secret-name", "api_key: YOUR_API_KEY_GOES_HERE", "commit = da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    },
];
