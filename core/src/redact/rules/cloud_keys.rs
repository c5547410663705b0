//! Keys of clouds.

use super::prelude::*;

macro_rules! keys {
    ($name:literal, $label:literal, $($pattern:expr),+ $(,)?) => {
        Rule { name: $name, label: $label, packs: &[Secrets], on: true, rank: SURE, patterns: &[$($pattern),+] }
    };
}

pub static RULES: &[Rule] = &[
    keys!("aws_key", "AWS_KEY",
        Pattern::new(r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z2-7]{16}"),
        Pattern::new(r"[A-Za-z0-9/+]{40}").check(secret::is_random).near(&["secret access key", "aws secret", "secretaccesskey", "aws_secret_access_key"]),
        Pattern::new(r"ABSK[A-Za-z0-9+/]{40}").tail(Tail::Word("+/=")),
        Pattern::new(r"bedrock-api-key-[A-Za-z0-9+/=]{40}").tail(Tail::Word("+/="))),
    keys!("google_key", "GOOGLE_KEY",
        Pattern::new(r"AIza[A-Za-z0-9_-]{35}"),
        Pattern::new(r"AQ\.Ab8[A-Za-z0-9_-]{30}").tail(Tail::Word("-")),
        Pattern::new(r"GOCSPX-[A-Za-z0-9_-]{28}"),
        Pattern::new(r"ya29\.[A-Za-z0-9_-]{20}").tail(Tail::Word("-.")),
        Pattern::new(r"1//0[A-Za-z0-9_-]{40}").tail(Tail::Word("-"))),
    keys!("azure_key", "AZURE_KEY",
        Pattern::new(r"[A-Za-z0-9+/]{76}(?:AZEM|ACDb|ASt|AzCa|AIoT|AzFu|APIM)[A-Za-z0-9+/]{3,5}={0,2}"),
        Pattern::new(r"[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
        Pattern::new(r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{10}AC[A-Za-z0-9]{14}"),
        Pattern::new(r"[A-Za-z0-9+/]{86}==").near(&["accountkey", "account key", "storage key", "sharedaccesskey", "primary key", "secondary key"]),
        Pattern::new(r"[0-9a-f]{32}").check(secret::key).near(&["ocp-apim-subscription-key", "azure api key", "azure openai", "subscription key"]),
        Pattern::new(r"(?:[A-Za-z0-9]|%[0-9A-F]{2}|[+/]){43}(?:%3[Dd]|=)").assigned(&["sig"])),
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &["«AKIAIOSFODNN7EXAMPLE»", "AWS_SECRET_ACCESS_KEY=«wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»"],
        misses: &["AKIAIOSFODNN7EXAMPL", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    },
    Examples { hits: &["«AIzaSyA1234567890abcdefghijklmnopqrstuv»", "«ya29.a0AfH6SMBabcdefghijklmnop»"], misses: &["AIzaShort"] },
    Examples {
        hits: &["«abc8Q~0123456789abcdefghijklmnopqrstuvw»", "AccountKey=«Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==»"],
        misses: &["subscription d41d8cd98f00b204e9800998ecf8427e"],
    },
];
