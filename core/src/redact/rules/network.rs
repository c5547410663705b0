//! Addresses of hosts and pages.

use super::prelude::*;

pub static RULES: &[Rule] = &[
    Rule {
        name: "ip_address",
        label: "IP_ADDRESS",
        packs: &[Pii, Hipaa, Gdpr],
        on: true,
        rank: SHAPED,
        patterns: &[
            Pattern::new(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}")
                .check(network::ipv4)
                .apart(".-", ".")
                .unless(&["version", "versions", "v", "release", "ver", "build", "section", "chapter", "assembly", "oid"]),
            Pattern::new(r"(?i)[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}").check(network::ipv6).apart(":.", ""),
            Pattern::new(r"(?i)[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,6}:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}").check(network::ipv6),
        ],
    },
    Rule {
        name: "mac_address",
        label: "MAC_ADDRESS",
        packs: &[Pii, Hipaa, Gdpr],
        on: true,
        rank: SHAPED,
        patterns: &[
            Pattern::new(r"(?i)(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}").check(network::mac).apart(":-", ":-"),
            Pattern::new(r"(?i)[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}").check(network::mac).apart(".", "."),
        ],
    },
    Rule {
        name: "url",
        label: "URL",
        packs: &[Hipaa],
        on: false,
        rank: VAGUE,
        patterns: &[Pattern::new(r#"(?i)(?:https?|ftp)://[^\s<>"'`{}|\\]{3,}[a-z0-9/]"#)],
    },
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &["from «203.0.113.7»", "«2001:db8::8a2e:370:7334»", "[«203.0.113.7»]:443", "http://«203.0.113.7»:8080/", "«203.0.113.7»."],
        misses: &["127.0.0.1", "version 1.2.3.4", "1.2.3", "1.2.3.4.5", "256.1.1.1", "std::collections::hash_map", "12:30:45", "a::b::c", "0.0.0.0", "01.02.03.04"],
    },
    Examples { hits: &["«00:1A:2B:3C:4D:5E»", "«001a.2b3c.4d5e»"], misses: &["00:00:00:00:00:00", "00:1A:2B:3C:4D", "00:1A:2B:3C:4D:5E:6F:70", "1234.5678"] },
    Examples { hits: &["see «https://example.com/a?b=c»."], misses: &["example.com", "https://"] },
];
