//! Addresses of cryptocurrencies.

use super::prelude::*;

pub static RULES: &[Rule] = &[Rule {
    name: "crypto_address",
    label: "CRYPTO_ADDRESS",
    packs: &[Pii, Gdpr],
    on: true,
    rank: SURE,
    patterns: &[
        Pattern::new(r"[13][1-9A-HJ-NP-Za-km-z]{25,34}").check(finance::base58check),
        Pattern::new(r"(?i)bc1[02-9ac-hj-np-z]{11,71}").check(finance::bech32),
        Pattern::new(r"0x[0-9a-fA-F]{40}").check(secret::key),
    ],
}];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[Examples {
    hits: &[
        "«1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa»",
        "«3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy»",
        "«bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq»",
        "«0x742d35Cc6634C0532925a3b844Bc454e4438f44e»",
    ],
    misses: &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp", "0x0000000000000000000000000000000000000000", "0x742d35Cc6634C0532925a3b844Bc454e4438f4"],
}];
