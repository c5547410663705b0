//! E-mail addresses.

use super::prelude::*;

pub static RULES: &[Rule] = &[Rule {
    name: "email",
    label: "EMAIL",
    packs: &[Pii, Hipaa, Gdpr],
    on: true,
    rank: SHAPED,
    patterns: &[
        Pattern::new(r"\w[\w.%+'-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,20})").check(network::email),
        // Written so that machines don't see it.
        Pattern::new(
            r"(?i)\w[\w.+-]{0,63} ?[\[({<]at[\])}>] ?[a-z0-9-]{1,63}(?: ?(?:\.|[\[({<]dot[\])}>]) ?[a-z0-9-]{1,63}){0,4} ?(?:\.|[\[({<]dot[\])}>]) ?[a-z]{2,24}",
        ),
        Pattern::new(r"(?i)\w[\w.+-]{0,63} ?@ ?[a-z0-9-]{1,63} ?(?:\.|[\[({<]dot[\])}>]) ?(?:com|org|net|edu|gov|io|de|fr|uk|es|it)")
            .near(&["email", "e-mail", "mail", "contact", "write", "reach"]),
    ],
}];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[Examples {
    hits: &[
        "Write to «jane.doe+x@mail.example.com».",
        "«jane@example.co.uk», «joe@example.org»",
        "mailto:«jane@example.com»?subject=Hi",
        "\"from\": \"«JANE_DOE@EXAMPLE.COM»\"",
        "«jane%40example.com»",
        "«jane@example．com»",
        "«ｊａｎｅ＠example.com»",
        "«jаne@example.com»",
        "«ja\u{200b}ne@exam\u{200b}ple.com»",
        "«jane [at] example [dot] com» or «jane(at)example.com»",
        "my e-mail is «jane @ example.com»",
        "«müller@example.de»",
        "line\\n«jane@example.com»\\nnext",
    ],
    misses: &[
        "git@github.com:acme/site.git",
        "logo@2x.png",
        "npm i react@18.2.0",
        "@app.route('/x')",
        "ping @jane at 5pm",
        "a @ b",
        "user@localhost",
    ],
}];
