//! Bank accounts.

use super::prelude::*;

pub static RULES: &[Rule] = &[
    Rule {
        name: "iban",
        label: "IBAN",
        packs: &[Pii, Pci, Gdpr],
        on: true,
        rank: SURE,
        patterns: &[Pattern::new(r"(?i)[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,30}").part(finance::iban)],
    },
    Rule {
        name: "bic",
        label: "BIC",
        packs: &[Pii, Pci, Gdpr],
        on: true,
        rank: NEAR,
        patterns: &[Pattern::new(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?").check(finance::bic).near(&["bic", "swift", "swift code", "bic/swift"])],
    },
    Rule {
        name: "us_bank_routing",
        label: "US_BANK_ROUTING",
        packs: &[Pii, Pci],
        on: true,
        rank: NEAR,
        patterns: &[Pattern::new(r"\d{9}").check(finance::aba_routing).near(&["routing", "aba", "rtn", "transit"]).apart(".-", ".-")],
    },
    Rule {
        name: "bank_account",
        label: "BANK_ACCOUNT",
        packs: &[Pii, Pci, Hipaa, Gdpr],
        on: true,
        rank: NEAR,
        patterns: &[
            Pattern::new(r"\d(?:[ -]?\d){6,16}")
                .near(&["account number", "account no", "acct", "bank account", "checking account", "savings account", "kontonummer", "account #"])
                .unless(&["routing", "card"])
                .apart(".,:", ".,:"),
        ],
    },
    Rule {
        name: "uk_sort_code",
        label: "UK_SORT_CODE",
        packs: &[Pii, Pci, Gdpr],
        on: true,
        rank: NEAR,
        patterns: &[Pattern::new(r"\d{2}[ -]?\d{2}[ -]?\d{2}").near(&["sort code", "sortcode"]).apart(".-/", ".-/")],
    },
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &[
            "to «DE89 3704 0044 0532 0130 00» please",
            "«GB82WEST12345698765432»",
            "«gb82west12345698765432» to other banks",
            "«FR14 2004 1010 0505 0001 3M02 606»",
            "«NO93 8601 1117 947»",
        ],
        misses: &["DE89 3704 0044 0532 0130 01", "GB82WEST1234569876543", "AB12 3456 7890 1234 5678", "DE89370400440532013000X"],
    },
    Examples { hits: &["BIC: «DEUTDEFF»", "SWIFT «COBADEFFXXX»"], misses: &["DEUTDEFF", "swift language", "BIC ABCDQQFF"] },
    Examples { hits: &["routing number «021000021»"], misses: &["021000021", "routing 021000022"] },
    Examples { hits: &["account number: «123456789012»", "Bank account «1234 5678 90»"], misses: &["123456789012", "account balance 1234567"] },
    Examples { hits: &["sort code «12-34-56»"], misses: &["12-34-56"] },
];
