//! Payment cards.

use super::prelude::*;

const CARD: &[&str] = &["card*", "credit", "debit", "cc", "visa", "mastercard", "amex", "maestro", "pan", "charge", "karte*", "tarjeta*", "carte*"];

pub static RULES: &[Rule] = &[
    Rule {
        name: "credit_card",
        label: "CREDIT_CARD",
        packs: &[Pii, Pci, Hipaa, Gdpr],
        on: true,
        rank: SURE,
        patterns: &[
            Pattern::new(r"\d(?:[ ._-]{0,2}\d){13,18}").check(finance::card).apart(".", ""),
            Pattern::new(r"\d(?:[ ._-]{0,2}\d){11,18}").check(finance::card_by_context).near(CARD).apart(".", ""),
        ],
    },
    Rule {
        name: "card_security_code",
        label: "CARD_SECURITY_CODE",
        packs: &[Pci],
        on: true,
        rank: NEAR,
        patterns: &[
            Pattern::new(r"\d{3,4}").near(&["cvv*", "cvc*", "cvn", "card security code", "security code", "cid"]).apart(".,:/-", ".,:/-"),
        ],
    },
    Rule {
        name: "card_expiry",
        label: "CARD_EXPIRY",
        packs: &[Pci],
        on: true,
        rank: NEAR,
        patterns: &[
            Pattern::new(r"(?:0[1-9]|1[0-2]) ?[/-] ?(?:20)?[2-4]\d").near(&["exp", "expires", "expiry", "expiration", "valid thru", "valid until"]).apart(".,:/-", ".,:/-"),
        ],
    },
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &[
            "«4111 1111 1111 1111»",
            "«4111-1111-1111-1111», «378282246310005», «5555555555554444»",
            "{\"number\":«4111111111111111»}",
            "my card is «4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1»",
            "«４１１１１１１１１１１１１１１１»",
            "«4111\u{200b}1111\u{200b}1111\u{200b}1111»",
            "«4111%201111%201111%201111»",
            "«٤١١١١١١١١١١١١١١١»",
            "limit for card «503802053770»",
        ],
        misses: &["4111 1111 1111 1112", "1700000000000", "order 503802053770", "0.4111111111111111", "0000 0000 0000 0000", "1234567812345678"],
    },
    Examples { hits: &["CVV: «123»", "security code «4321»"], misses: &["room 123", "cvv 12345"] },
    Examples { hits: &["exp «12/27»", "valid thru «09/2027»"], misses: &["on 12/27", "expires 13/27"] },
];
