//! Identifiers of the United Kingdom and Ireland.

use super::prelude::*;

pub static RULES: &[Rule] = &[
    Rule {
        name: "uk_nino",
        label: "UK_NINO",
        packs: &[Pii, Gdpr],
        on: true,
        rank: SHAPED,
        patterns: &[
            Pattern::new(r"(?i)[a-ceghj-prtw-z][a-ceghj-nprtw-z][ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[a-d]").check(national::nino),
        ],
    },
    Rule {
        name: "uk_nhs",
        label: "UK_NHS",
        packs: &[Pii, Hipaa, Gdpr],
        on: true,
        rank: NEAR,
        patterns: &[Pattern::new(r"\d{3}[ -]?\d{3}[ -]?\d{4}").check(national::nhs).near(&["nhs", "national health", "patient"]).apart(".-", ".-")],
    },
    Rule {
        name: "uk_driving_licence",
        label: "UK_DRIVING_LICENCE",
        packs: &[Pii, Gdpr],
        on: true,
        rank: SHAPED,
        patterns: &[Pattern::new(r"[A-Z9]{5}\d[0156]\d[0-3]\d{2}[A-Z9]{2}\d[A-Z]{2}(?: ?\d{2})?")],
    },
    Rule {
        name: "uk_utr",
        label: "UK_UTR",
        packs: &[Pii, Gdpr],
        on: true,
        rank: NEAR,
        patterns: &[Pattern::new(r"\d{5} ?\d{5}K?").near(&["utr", "unique taxpayer", "self assessment"]).apart(".-", ".-")],
    },
    Rule {
        name: "ie_pps",
        label: "IE_PPS",
        packs: &[Pii, Gdpr],
        on: true,
        rank: SURE,
        patterns: &[Pattern::new(r"\d{7}[A-W][A-IW]?").check(national::pps)],
    },
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples { hits: &["«AB 12 34 56 C»", "«ab123456c»"], misses: &["GB123456A", "AB123456E", "DB123456"] },
    Examples { hits: &["NHS number «943 476 5919»"], misses: &["NHS number 943 476 5918"] },
    Examples { hits: &["«MORGA657054SM9IJ»"], misses: &["MORGA697554SM9IJ"] },
    Examples { hits: &["UTR «12345 67890»"], misses: &["12345 67890"] },
    Examples { hits: &["PPS «1234567T»", "«1234567FA»"], misses: &["1234567A"] },
];
