//! Keys whose vendors gave them a prefix of their own.

use super::prelude::*;

macro_rules! keys {
    ($name:literal, $label:literal, $($pattern:expr),+ $(,)?) => {
        Rule { name: $name, label: $label, packs: &[Secrets], on: true, rank: SURE, patterns: &[$($pattern),+] }
    };
}

const WORD: Tail = Tail::Word("-");

pub static RULES: &[Rule] = &[
    keys!("github_token", "GITHUB_TOKEN",
        Pattern::new(r"gh[pousr]_[A-Za-z0-9]{36}").check(secret::crc_of_body),
        // Newer ones are longer, and of unknown make.
        Pattern::new(r"gh[pousr]_[A-Za-z0-9]{36}").check(secret::key).tail(WORD),
        Pattern::new(r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{20}").tail(WORD)),
    keys!("gitlab_token", "GITLAB_TOKEN", Pattern::new(r"gl(?:pat|dt|ptt|rt|soat|cbt|ft|agent|imt)-[A-Za-z0-9_-]{20}").tail(Tail::Word("-."))),
    keys!("slack_token", "SLACK_TOKEN",
        Pattern::new(r"xox[abeoprs]-[A-Za-z0-9-]{10}").tail(WORD),
        Pattern::new(r"xapp-\d-[A-Z0-9]{6}").tail(WORD),
        Pattern::new(r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20}").tail(Tail::Word("/+-"))),
    keys!("stripe_key", "STRIPE_KEY",
        Pattern::new(r"[rs]k_(?:live|test|prod)_[A-Za-z0-9]{16}").tail(WORD),
        Pattern::new(r"whsec_[A-Za-z0-9+/=]{24}").tail(Tail::Word("+/="))),
    keys!("openai_key", "OPENAI_KEY",
        Pattern::new(r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20}").tail(WORD),
        Pattern::new(r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}").tail(WORD),
        Pattern::new(r"sk-[A-Za-z0-9]{32}").check(secret::is_random).tail(WORD)),
    keys!("anthropic_key", "ANTHROPIC_KEY", Pattern::new(r"sk-ant-[a-z0-9]{3,12}-[A-Za-z0-9_-]{20}").tail(WORD)),
    keys!("ai_vendor_key", "AI_VENDOR_KEY",
        Pattern::new(r"hf_[A-Za-z]{34}|api_org_[A-Za-z]{34}"),
        Pattern::new(r"gsk_[A-Za-z0-9]{52}"),
        Pattern::new(r"xai-[A-Za-z0-9]{70}").tail(WORD),
        Pattern::new(r"pplx-[A-Za-z0-9]{40}").tail(WORD),
        Pattern::new(r"r8_[A-Za-z0-9]{37}"),
        Pattern::new(r"sk-or-v1-[0-9a-f]{64}"),
        Pattern::new(r"fw_[A-Za-z0-9]{22,28}").check(secret::is_random),
        Pattern::new(r"nvapi-[A-Za-z0-9_-]{40}").tail(WORD),
        Pattern::new(r"lsv2_(?:pt|sk)_[0-9a-f]{32}").tail(WORD),
        Pattern::new(r"tvly-[A-Za-z0-9-]{20}").tail(WORD),
        Pattern::new(r"csk-[a-z0-9]{40}").tail(WORD)),
    keys!("gateway_key", "GATEWAY_KEY", Pattern::new(r"slc_[0-9A-Za-z]{49}").check(secret::crc_of_all)),
    keys!("package_token", "PACKAGE_TOKEN",
        Pattern::new(r"npm_[A-Za-z0-9]{36}").check(secret::key),
        Pattern::new(r"pypi-AgE[A-Za-z0-9_-]{20}").tail(WORD),
        Pattern::new(r"rubygems_[0-9a-f]{48}"),
        Pattern::new(r"cio[A-Za-z0-9]{32}").check(secret::is_random),
        Pattern::new(r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27}").tail(WORD)),
    keys!("service_key", "SERVICE_KEY",
        Pattern::new(r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16}").tail(WORD),
        Pattern::new(r"(?:SK|AC)[0-9a-f]{32}").check(secret::key),
        Pattern::new(r"key-[0-9a-f]{32}").check(secret::key),
        Pattern::new(r"\d{8,10}:AA[A-Za-z0-9_-]{33}"),
        Pattern::new(r"[MNO][A-Za-z\d_-]{23,25}\.[\w-]{6}\.[\w-]{27}").tail(WORD),
        Pattern::new(r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
        Pattern::new(r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22}").tail(WORD),
        Pattern::new(r"(?:dop|doo|dor)_v1_[0-9a-f]{64}"),
        Pattern::new(r"dapi[0-9a-f]{32}").tail(WORD),
        Pattern::new(r"lin_(?:api|oauth)_[A-Za-z0-9]{32}").tail(WORD),
        Pattern::new(r"(?:ntn|secret)_[A-Za-z0-9]{40}").check(secret::is_random).tail(WORD),
        Pattern::new(r"AT(?:ATT3|CTT3|BB)[A-Za-z0-9_-]{24}").tail(Tail::Word("-=")),
        Pattern::new(r"figd_[A-Za-z0-9_-]{36}").tail(WORD),
        Pattern::new(r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
        Pattern::new(r"NR(?:AK|JS|II)-[A-Za-z0-9]{19}").tail(WORD),
        Pattern::new(r"gl(?:c_|sa_)[A-Za-z0-9_+/=]{32}").tail(Tail::Word("+/=")),
        Pattern::new(r"sntry[su]_[A-Za-z0-9_+/=]{40}").tail(Tail::Word("+/=")),
        Pattern::new(r"hv[bsr]\.[A-Za-z0-9_-]{24}").tail(WORD),
        Pattern::new(r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{40}").tail(Tail::Word("-.")),
        Pattern::new(r"pul-[0-9a-f]{40}"),
        Pattern::new(r"fo1_[A-Za-z0-9_-]{43}|FlyV1 fm[12]_[A-Za-z0-9+/=,_-]{60}").tail(Tail::Word("+/=,-")),
        Pattern::new(r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32}").tail(Tail::Word("-.")),
        Pattern::new(r"sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{20}").tail(WORD),
        Pattern::new(r"EAA[A-Za-z0-9]{60}").check(secret::is_random).tail(WORD),
        Pattern::new(r"phx_[A-Za-z0-9]{40}").tail(WORD),
        Pattern::new(r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
        Pattern::new(r"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8}").tail(WORD),
        Pattern::new(r"https://(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/\d{15,20}/[A-Za-z0-9_-]{20}").tail(WORD),
        Pattern::new(r"ops_eyJ[A-Za-z0-9_+/=-]{40}").tail(Tail::Word("+/=-"))),
];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &["«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»", "token «github_pat_11ABCDEFG0aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbb»."],
        misses: &["ghp_xxx", "ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
    },
    Examples { hits: &["«glpat-abcDEF1234567890_-xyz»"], misses: &["glpat-short"] },
    Examples {
        hits: &["«xoxb-123456789012-1234567890123-abcDEF»", "«https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX»"],
        misses: &["xoxb-", "https://slack.com/"],
    },
    Examples { hits: &["«sk_live_4eC39HqLyjWDarjtT1zdp7dc»", "«whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw»"], misses: &["sk_live_", "pk_live_4eC39HqLyjWDarjtT1zdp7dc"] },
    Examples { hits: &["«sk-proj-abcdefghij1234567890_-ABCDEF»", "Bearer «sk-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6»"], misses: &["sk-learn-contrib", "sk-proj-"] },
    Examples { hits: &["«sk-ant-api03-abcdefghij1234567890-ABC»"], misses: &["sk-ant-x"] },
    Examples { hits: &["«hf_abcdefghijklmnopqrstuvwxyzABCDEFGH»", "«gsk_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ»"], misses: &["hf_hub", "gsk_abc"] },
    Examples { hits: &[], misses: &["slc_0000000000000000000000000000000000000000000000000"] },
    Examples { hits: &["«npm_abcdefghijklmnopqrstuvwxyz0123456789»", "«pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDA»"], misses: &["npm_config_registry", "pypi-server"] },
    Examples {
        hits: &["«SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG»", "«123456789:AAabcdefghijklmnopqrstuvwxyz0123456»", "«shpat_0123456789abcdef0123456789abcdef»"],
        misses: &["SG.a.b", "key-value", "hvs.x"],
    },
];
