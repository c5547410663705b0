//! Identifiers of Brazil, Canada, Mexico, Chile, Argentina, Australia and South Africa.

use super::prelude::*;

macro_rules! national {
    ($name:literal, $label:literal, $rank:expr, $($pattern:expr),+ $(,)?) => {
        Rule { name: $name, label: $label, packs: &[Pii], on: true, rank: $rank, patterns: &[$($pattern),+] }
    };
}

pub static RULES: &[Rule] = &[
    national!("br_cpf", "BR_CPF", SURE,
        Pattern::new(r"\d{3}\.\d{3}\.\d{3}[-/.]\d{2}").check(national::cpf),
        Pattern::new(r"\d{11}").check(national::cpf).near(&["cpf", "contribuinte", "cadastro"]).apart(".-", ".-")),
    national!("br_cnpj", "BR_CNPJ", SURE,
        Pattern::new(r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}").check(national::cnpj),
        Pattern::new(r"\d{14}").check(national::cnpj).near(&["cnpj", "empresa"]).apart(".-", ".-")),
    national!("ca_sin", "CA_SIN", NEAR,
        Pattern::new(r"\d{3}[ -]?\d{3}[ -]?\d{3}").check(national::sin).near(&["sin", "social insurance", "nas", "assurance sociale"]).apart(".-", ".-")),
    national!("mx_curp", "MX_CURP", SURE, Pattern::new(r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d").check(national::curp)),
    national!("cl_rut", "CL_RUT", SURE,
        Pattern::new(r"\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]").check(national::rut),
        Pattern::new(r"\d{7,8}-?[0-9Kk]").check(national::rut).near(&["rut", "run"]).apart(".-", ".-")),
    national!("ar_cuit", "AR_CUIT", SURE,
        Pattern::new(r"(?:2[03467]|3[034])-\d{8}-\d").check(national::cuit).apart(".-", ".-"),
        Pattern::new(r"(?:2[03467]|3[034])\d{9}").check(national::cuit).near(&["cuit", "cuil"]).apart(".-", ".-")),
    national!("au_tfn", "AU_TFN", NEAR,
        Pattern::new(r"\d{3}[ -]?\d{3}[ -]?\d{3}").check(national::tfn).near(&["tfn", "tax file"]).apart(".-", ".-")),
    national!("au_medicare", "AU_MEDICARE", NEAR,
        Pattern::new(r"[2-6]\d{3}[ -]?\d{5}[ -]?\d(?:[ /-]?\d)?").check(national::medicare).near(&["medicare"]).apart(".-", ".-")),
    national!("au_abn", "AU_ABN", NEAR,
        Pattern::new(r"\d{2} ?\d{3} ?\d{3} ?\d{3}").check(national::abn).near(&["abn", "business number"]).apart(".-", ".-")),
    national!("za_identity", "ZA_IDENTITY", NEAR,
        Pattern::new(r"\d{6} ?\d{4} ?\d{3}").check(national::south_african_identity).near(&["id number", "south african", "identity number", "sa id", "rsa id"]).apart(".-", ".-")),
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples { hits: &["«529.982.247-25»", "CPF «52998224725»"], misses: &["529.982.247-26", "52998224725", "111.111.111-11"] },
    Examples { hits: &["«11.222.333/0001-81»"], misses: &["11.222.333/0001-82"] },
    Examples { hits: &["SIN «130 692 544»"], misses: &["SIN 130 692 545", "a sin 123"] },
    Examples { hits: &["«HEGG560427MVZRRL04»"], misses: &["HEGG560427MVZRRL05"] },
    Examples { hits: &["«12.345.678-5»", "RUT «12345678-5»"], misses: &["12.345.678-6", "12345678-5"] },
    Examples { hits: &["«20-12345678-6»"], misses: &["20-12345678-5"] },
    Examples { hits: &["TFN «123 456 782»"], misses: &["123 456 782", "TFN 123 456 783"] },
    Examples { hits: &["Medicare «2123 45670 1»"], misses: &["2123 45670 1"] },
    Examples { hits: &["ABN «51 824 753 556»"], misses: &["51 824 753 556", "ABN 51 824 753 557"] },
    Examples { hits: &["ID number «8001015009087»"], misses: &["8001015009087"] },
];
