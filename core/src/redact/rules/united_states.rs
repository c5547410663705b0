//! Identifiers of the United States.

use super::prelude::*;

const LICENCE: &[&str] = &[
    "driver license", "drivers license", "driver's license", "driver licence", "driver's licence", "drivers licence", "driving licence", "driving license", "dl number", "dl no",
    "driver license number", "licence number", "license number", "dl",
];

pub static RULES: &[Rule] = &[
    Rule {
        name: "us_ssn",
        label: "US_SSN",
        packs: &[Pii, Hipaa],
        on: true,
        rank: SHAPED,
        patterns: &[
            Pattern::new(r"\d{3}-\d{2}-\d{4}").check(national::ssn).apart("-./", "-"),
            Pattern::new(r"\d(?:[ ._-]{0,2}\d){8}").check(national::ssn).near(&["ssn", "ssns", "social security", "social", "soc sec", "socials"]).apart(".", ""),
        ],
    },
    Rule {
        name: "us_itin",
        label: "US_ITIN",
        packs: &[Pii, Hipaa],
        on: true,
        rank: SHAPED,
        patterns: &[
            Pattern::new(r"9\d{2}-\d{2}-\d{4}").check(national::itin).apart("-./", "-"),
            Pattern::new(r"9\d{2}[ -]?\d{2}[ -]?\d{4}").check(national::itin).near(&["itin", "taxpayer", "tax id", "tin"]).apart(".-", "-"),
        ],
    },
    Rule {
        name: "us_ein",
        label: "US_EIN",
        packs: &[Pii],
        on: true,
        rank: NEAR,
        patterns: &[Pattern::new(r"\d{2}-?\d{7}").check(national::ein).near(&["ein", "fein", "employer identification", "employer id", "tax id", "federal tax"]).apart(".-", "-")],
    },
    Rule {
        name: "us_driver_license",
        label: "US_DRIVER_LICENSE",
        packs: &[Pii, Hipaa],
        on: true,
        rank: NEAR,
        patterns: &[
            Pattern::new(r"[A-Za-z]{0,3}\d[\d*-]{4,17}[\dA-Za-z]").near(LICENCE).apart(".", ""),
            Pattern::new(r"[A-Za-z]\d{3}[ -]\d{3,4}[ -]\d{2,4}(?:[ -]\d{2,4})?").near(LICENCE),
        ],
    },
    Rule {
        name: "us_mbi",
        label: "US_MBI",
        packs: &[Pii, Hipaa],
        on: true,
        rank: SHAPED,
        patterns: &[
            Pattern::new(r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}"),
        ],
    },
    Rule {
        name: "us_npi",
        label: "US_NPI",
        packs: &[Hipaa],
        on: true,
        rank: NEAR,
        patterns: &[Pattern::new(r"[12]\d{9}").check(national::npi).near(&["npi", "provider"]).apart(".-", ".-")],
    },
    Rule {
        name: "us_dea",
        label: "US_DEA",
        packs: &[Hipaa],
        on: true,
        rank: NEAR,
        patterns: &[Pattern::new(r"(?i)[a-z][a-z9]\d{7}").check(national::dea).near(&["dea", "prescriber", "practitioner"])],
    },
    Rule {
        name: "medical_record",
        label: "MEDICAL_RECORD",
        packs: &[Hipaa],
        on: true,
        rank: NEAR,
        patterns: &[
            Pattern::new(r"(?i)[a-z]{0,4}-?\d[\d-]{3,11}\d")
                .near(&["mrn", "medical record", "patient id", "patient number", "patient no", "chart number", "health plan", "beneficiary", "member id", "policy number"])
                .apart(".", "."),
        ],
    },
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &["«536-90-4399»", "SSN «536904399»", "ssn: «536 90 4399»", "\"ssn\": «536904399»", "social security «5 3 6 9 0 4 3 9 9»", "«５３６－９０－４３９９»"],
        misses: &["000-12-3456", "666-12-3456", "900-12-3456", "536-00-4399", "536904399", "2024-536-90-4399", "536-90-43991"],
    },
    Examples { hits: &["«912-70-1234»", "ITIN «912 70 1234»"], misses: &["912-10-1234", "912701234"] },
    Examples { hits: &["EIN: «12-3456789»"], misses: &["12-3456789", "EIN 07-1234567"] },
    Examples {
        hits: &["my driver's license number is «F162823540116»", "driver's license number is «2270-66-1551»", "license number «6940579»"],
        misses: &["F162823540116", "the license is MIT"],
    },
    Examples { hits: &["«1EG4-TE5-MK73»", "«1EG4TE5MK73»"], misses: &["1EG4-TE5-MK7", "0EG4TE5MK73"] },
    Examples { hits: &["NPI «1234567893»"], misses: &["1234567893", "NPI 1234567890"] },
    Examples { hits: &["DEA number «AB1234563»"], misses: &["AB1234563", "DEA AB1234567"] },
    Examples { hits: &["MRN: «00482913»", "patient id «AB-12345»"], misses: &["00482913"] },
];
