//! Identifiers of India, China, Japan, Korea, Singapore, Hong Kong, Taiwan, Israel and Turkey.

use super::prelude::*;

macro_rules! national {
    ($name:literal, $label:literal, $rank:expr, $($pattern:expr),+ $(,)?) => {
        Rule { name: $name, label: $label, packs: &[Pii], on: true, rank: $rank, patterns: &[$($pattern),+] }
    };
}

pub static RULES: &[Rule] = &[
    national!("in_pan", "IN_PAN", SHAPED,
        Pattern::new(r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]"),
        Pattern::new(r"(?i)[a-z]{3}[abcfghjlpt][a-z]\d{4}[a-z]").near(&["pan", "permanent account"])),
    national!("in_aadhaar", "IN_AADHAAR", SURE,
        Pattern::new(r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}").check(national::aadhaar).apart(".- ", ".- "),
        Pattern::new(r"[2-9]\d{11}").check(national::aadhaar).near(&["aadhaar", "aadhar", "uidai", "uid"]).apart(".-", ".-")),
    national!("cn_resident_identity", "CN_RESIDENT_IDENTITY", SURE, Pattern::new(r"[1-9]\d{16}[0-9Xx]").check(national::resident_identity).apart(".", "")),
    national!("jp_my_number", "JP_MY_NUMBER", NEAR,
        Pattern::new(r"\d{4}[ -]?\d{4}[ -]?\d{4}").check(national::my_number).near(&["my number", "individual number", "mynumber", "マイナンバー", "個人番号"]).apart(".-", ".-")),
    national!("kr_rrn", "KR_RRN", SURE,
        Pattern::new(r"\d{6}-[1-8]\d{6}").check(national::rrn).apart(".-", ".-"),
        Pattern::new(r"\d{6}[1-8]\d{6}").check(national::rrn).near(&["rrn", "resident registration", "주민등록번호"]).apart(".-", ".-")),
    national!("sg_nric", "SG_NRIC", SURE, Pattern::new(r"(?i)[stfgm]\d{7}[a-z]").check(national::nric)),
    national!("hk_identity", "HK_IDENTITY", SURE, Pattern::new(r"[A-Z]{1,2}\d{6} ?\([0-9A]\)").check(national::hkid)),
    national!("tw_identity", "TW_IDENTITY", SURE, Pattern::new(r"[A-Z][1289]\d{8}").check(national::taiwan_identity)),
    national!("il_identity", "IL_IDENTITY", NEAR,
        Pattern::new(r"\d{9}").check(national::israeli_identity).near(&["teudat zehut", "israeli id", "identity number", "תעודת זהות"]).apart(".-", ".-")),
    national!("tr_identity", "TR_IDENTITY", NEAR,
        Pattern::new(r"[1-9]\d{10}").check(national::tckn).near(&["tckn", "tc kimlik", "kimlik", "turkish id"]).apart(".-", ".-")),
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples { hits: &["«ABCPE1234F»", "pan «abcpe1234f»"], misses: &["ABCDE1234F", "abcpe1234f"] },
    Examples { hits: &["«2341 2341 2346»", "Aadhaar: «234123412346»"], misses: &["234123412346", "2341 2341 2347"] },
    Examples { hits: &["«11010519491231002X»"], misses: &["110105194912310021"] },
    Examples { hits: &["My Number «1234 5678 9018»", "マイナンバー：«123456789018»"], misses: &["1234 5678 9018"] },
    Examples { hits: &["«900101-1234568»"], misses: &["900101-1234567", "9001011234568"] },
    Examples { hits: &["«S1234567D»"], misses: &["S1234567A"] },
    Examples { hits: &["«A123456(3)»"], misses: &["A123456(4)"] },
    Examples { hits: &["«A123456789»"], misses: &["A123456788"] },
    Examples { hits: &["Israeli ID «123456782»"], misses: &["123456782", "Israeli ID 123456783"] },
    Examples { hits: &["TC Kimlik «10000000146»"], misses: &["10000000146", "kimlik 10000000147"] },
];
