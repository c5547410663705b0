//! Identifiers of the countries of the European Union and its neighbours.

use super::prelude::*;

macro_rules! national {
    ($name:literal, $label:literal, $rank:expr, $($pattern:expr),+ $(,)?) => {
        Rule { name: $name, label: $label, packs: &[Pii, Gdpr], on: true, rank: $rank, patterns: &[$($pattern),+] }
    };
}

pub static RULES: &[Rule] = &[
    national!("de_steuer_id", "DE_STEUER_ID", NEAR, Pattern::new(r"\d{2} ?\d{3} ?\d{3} ?\d{3}")
        .check(national::steuer_id)
        .near(&["steuer*", "idnr", "tin", "tax id", "taxpayer", "identifikationsnummer", "tax"])
        .apart(".-", ".-")),
    national!("de_identity_card", "DE_IDENTITY_CARD", NEAR, Pattern::new(r"[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}\d")
        .check(national::icao)
        .near(&["personalausweis*", "ausweis*", "id card", "identity card", "reisepass*", "passport*"])),
    national!("de_social_security", "DE_SOCIAL_SECURITY", SURE, Pattern::new(r"\d{2} ?\d{6} ?[A-Z] ?\d{3}").check(national::rentenversicherung)),
    national!("fr_nir", "FR_NIR", SURE, Pattern::new(r"[1-478] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}").check(national::nir).apart(".", "")),
    national!("fr_siren", "FR_SIREN", NEAR, Pattern::new(r"\d{3} ?\d{3} ?\d{3}(?: ?\d{5})?").check(national::siren).near(&["siren", "siret", "rcs"]).apart(".", "")),
    national!("it_codice_fiscale", "IT_CODICE_FISCALE", SURE,
        Pattern::new(r"(?i)[a-z]{6} ?[0-9lmnp-v]{2}[abcdehlmprst][0-9lmnp-v]{2} ?[a-z][0-9lmnp-v]{3}[a-z]").check(national::codice_fiscale)),
    national!("it_partita_iva", "IT_PARTITA_IVA", NEAR, Pattern::new(r"\d{11}").check(national::partita_iva).near(&["partita iva", "p.iva", "piva", "p. iva", "vat"]).apart(".-", ".-")),
    national!("es_dni", "ES_DNI", SURE, Pattern::new(r"(?i)(?:\d{8}|\d{2}\.\d{3}\.\d{3}|[xyz][ -]?\d{7})[ -]?[a-hj-np-tv-z]").check(national::dni).apart(".-", "")),
    national!("nl_bsn", "NL_BSN", NEAR, Pattern::new(r"\d{4}[ .]?\d{2}[ .]?\d{3}|\d{9}").check(national::bsn).near(&["bsn", "burgerservicenummer", "sofinummer", "citizen service"]).apart(".-", ".-")),
    national!("pl_pesel", "PL_PESEL", NEAR, Pattern::new(r"\d{11}").check(national::pesel).near(&["pesel", "polish id", "national id", "identity"]).apart(".-", ".-")),
    national!("pl_nip", "PL_NIP", NEAR, Pattern::new(r"\d{3}-?\d{3}-?\d{2}-?\d{2}").check(national::nip).near(&["nip", "vat", "tax id"]).apart(".-", ".-")),
    national!("dk_cpr", "DK_CPR", NEAR, Pattern::new(r"\d{6}[ -]?\d{4}").check(national::cpr).near(&["cpr", "cpr-nummer", "personnummer", "danish"]).apart(".-", ".-")),
    national!("se_personnummer", "SE_PERSONNUMMER", NEAR,
        Pattern::new(r"(?:\d{2})?\d{6}[-+]\d{4}").check(national::personnummer).apart(".-:", ".-"),
        Pattern::new(r"(?:\d{2})?\d{10}").check(national::personnummer).near(&["personnummer", "personal number", "samordningsnummer", "swedish"]).apart(".-", ".-")),
    national!("no_fodselsnummer", "NO_FODSELSNUMMER", SURE,
        Pattern::new(r"\d{6} ?\d{5}").check(national::fodselsnummer).apart(".-:", ".-")),
    national!("fi_hetu", "FI_HETU", SURE, Pattern::new(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]").check(national::hetu).apart(".-", "")),
    national!("be_national_number", "BE_NATIONAL_NUMBER", SURE,
        Pattern::new(r"\d{2}\.\d{2}\.\d{2}-\d{3}[.-]\d{2}").check(national::rijksregister),
        Pattern::new(r"\d{11}").check(national::rijksregister).near(&["rijksregister*", "registre national", "national number", "niss", "insz"]).apart(".-", ".-")),
    national!("pt_nif", "PT_NIF", NEAR, Pattern::new(r"\d{3} ?\d{3} ?\d{3}").check(national::nif).near(&["nif", "contribuinte", "tax id"]).apart(".-", ".-")),
    national!("cz_rodne_cislo", "CZ_RODNE_CISLO", SURE,
        Pattern::new(r"\d{6}/\d{4}").check(national::rodne_cislo).apart(".-/", "/"),
        Pattern::new(r"\d{10}").check(national::rodne_cislo).near(&["rodne cislo", "rodne", "birth number"]).apart(".-", ".-")),
    national!("ro_cnp", "RO_CNP", NEAR, Pattern::new(r"\d{13}").check(national::cnp).near(&["cnp", "cod numeric"]).apart(".-", ".-")),
    national!("at_svnr", "AT_SVNR", NEAR, Pattern::new(r"\d{4} ?\d{6}").check(national::svnr).near(&["svnr", "sozialversicherung*", "sv-nummer", "insurance"]).apart(".-", ".-")),
    national!("ch_ahv", "CH_AHV", SURE, Pattern::new(r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}").check(national::ahv).apart(".-", "")),
    national!("eu_vat", "EU_VAT", NEAR,
        Pattern::new(r"(?:AT ?U\d{8}|BE ?[01]\d{9}|DE ?\d{9}|DK ?\d{8}|ES ?[A-Z0-9]\d{7}[A-Z0-9]|FI ?\d{8}|FR ?[A-Z0-9]{2} ?\d{9}|IE ?\d[A-Z0-9]\d{5}[A-Z]{1,2}|IT ?\d{11}|NL ?\d{9}B\d{2}|PL ?\d{10}|PT ?\d{9}|SE ?\d{12})")
            .check(national::vat)
            .near(&["vat", "ust*", "umsatzsteuer*", "tva", "iva", "btw", "mwst", "nif", "nip", "moms"])),
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples { hits: &["Steuer-ID «86 095 742 719»", "IdNr: «47036892816»"], misses: &["47036892816", "Steuer-ID 86 095 742 718"] },
    Examples { hits: &["Personalausweis «T220001293»", "Ausweisnummer: «L01X00T471»"], misses: &["T220001293", "Personalausweis T220001294"] },
    Examples { hits: &["«15 070649 C 103»"], misses: &["15 070649 C 104"] },
    Examples { hits: &["«1 84 12 76 451 089 46»", "«255081416802538»"], misses: &["255081416802539"] },
    Examples { hits: &["SIREN «732 829 320»", "siret: «73282932000074»"], misses: &["732 829 320", "SIREN 732 829 321"] },
    Examples { hits: &["«RSSMRA85T10A562S»", "«rssmra85t10a562s»"], misses: &["RSSMRA85T10A562T"] },
    Examples { hits: &["Partita IVA «12345670017»"], misses: &["12345670017"] },
    Examples { hits: &["«12345678Z»", "«X1234567L»", "DNI «12.345.678-Z»"], misses: &["12345678A", "X1234567A"] },
    Examples { hits: &["BSN «111222333»"], misses: &["111222333", "BSN 111222334"] },
    Examples { hits: &["PESEL «44051401359»"], misses: &["44051401359", "PESEL 44051401358"] },
    Examples { hits: &["NIP «123-456-32-18»"], misses: &["NIP 123-456-32-19"] },
    Examples { hits: &["CPR «070761-4285»"], misses: &["070761-4285"] },
    Examples { hits: &["«811228-9874»", "personnummer «198112289874»"], misses: &["811228-9875", "8112289874"] },
    Examples { hits: &["«290296 43383»"], misses: &["29029643384"] },
    Examples { hits: &["«131052-308T»"], misses: &["131052-308U"] },
    Examples { hits: &["«85.07.30-033.28»"], misses: &["85.07.30-033.29"] },
    Examples { hits: &["NIF «123 456 789»"], misses: &["123 456 789", "NIF 123 456 788"] },
    Examples { hits: &["«736028/5163»"], misses: &["736028/5164"] },
    Examples { hits: &["CNP «1630615123457»"], misses: &["1630615123457", "CNP 1630615123458"] },
    Examples { hits: &["SVNR «1237 010180»"], misses: &["1237 010180", "SVNR 1238 010180"] },
    Examples { hits: &["«756.9217.0769.85»"], misses: &["756.9217.0769.84"] },
    Examples { hits: &["VAT «DE136695976»", "USt-IdNr. «DE136695976»"], misses: &["DE136695976", "VAT DE136695977"] },
];
