use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::signature::{Keypair, Verifier};
use serde_json::{Value, json};

use super::*;

/// Made for these tests; it opens nothing.
const KEY: &str = include_str!("google_test_key.pem");

/// `openssl dgst -sha256 -sign` over the token of 1800000000, in base64.
const OPENSSL: &str = "eZ8PT_XcLDZr7xeYcAPjTcMJixpQsDeIzDgZCLlXES97m6IOHnV5c5Je1jC26Bxls_AxC-PE7o_h_C7YhFFwOEI9kB\
    duJf3xtgtb3uNC8Z8E4YbPdQot9KujDDD6FCcsidTgfUfcQB4QY3dkic3OKW6Of9FMmTLltxodJ-eg7orRiU9BTIKr\
    tgvTGxoPG0BHZhmrb7Gidjg8vigQgQLj-5BwvnfGYO8ZAxm1J0p2-Jv77BCNyzeyAEk6CCSSsFoP6ymUB0i4l86yh_\
    M2hQ7DDHax1NR8Q1zhB3RzWlI3TfSjsBZjqmstP83D9GeOflXXgsGCGOLFP74WLNM1fkoncA";

fn key_file() -> Value {
    json!({
        "type": "service_account", "project_id": "p", "private_key_id": "key-1", "private_key": KEY,
        "client_email": "gateway@p.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
    })
}

fn token(account: &ServiceAccount, seconds: u64) -> String {
    let headers = account.token(Duration::from_secs(seconds)).expect("signs");
    match headers.as_slice() {
        [("authorization", value)] => value.strip_prefix("Bearer ").expect("is a bearer token").to_owned(),
        headers => panic!("other headers: {}", headers.len()),
    }
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("is base64")).expect("is JSON")
}

#[test]
fn a_token_says_who_signed_it_and_for_what() {
    let account = ServiceAccount::parse(&key_file().to_string()).expect("is a key");
    let token = token(&account, 1_800_000_000);
    let (signed, signature) = token.rsplit_once('.').expect("has three parts");
    let (header, claims) = signed.split_once('.').expect("has three parts");
    assert_eq!(decoded(header), json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    assert_eq!(
        decoded(claims),
        json!({
            "iss": "gateway@p.iam.gserviceaccount.com", "sub": "gateway@p.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "iat": 1_800_000_000_u64, "exp": 1_800_003_600_u64,
        })
    );
    let verifier: VerifyingKey<Sha256> = account.key.verifying_key();
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("is base64");
    let signature = Signature::try_from(signature.as_slice()).expect("is a signature");
    verifier.verify(signed.as_bytes(), &signature).expect("fits");
    verifier.verify(claims.as_bytes(), &signature).expect_err("fits nothing else");
    // RS256 is deterministic: OpenSSL signs the same text with the same bytes.
    assert_eq!(token.rsplit_once('.').map(|(_, signature)| signature), Some(OPENSSL));
}

#[test]
fn a_token_is_used_until_shortly_before_it_ends() {
    let account = ServiceAccount::parse(&key_file().to_string()).expect("is a key");
    let first = token(&account, 10_000);
    assert_eq!(token(&account, 10_000 + 3299), first);
    let second = token(&account, 10_000 + 3300);
    assert_ne!(second, first);
    // The clock has gone back.
    assert_eq!(token(&account, 10_000), first);
    assert_eq!(token(&account, 10_001), first);
}

#[test]
fn a_bad_key_file_is_told_without_its_content() {
    let mut cases = vec![("secret".to_owned(), "does not hold"), ("[]".to_owned(), "does not hold")];
    for (field, value, says) in [
        ("type", json!("authorized_user"), "not of the type"),
        (
            "private_key",
            json!("-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"),
            "no RSA key",
        ),
        ("private_key", json!(null), "without private_key"),
        ("client_email", json!(""), "without client_email"),
        ("private_key_id", json!(null), "without private_key_id"),
        ("client_email", json!(1), "does not hold"),
    ] {
        let mut file = key_file();
        file[field] = value;
        cases.push((file.to_string(), says));
    }
    for (text, says) in cases {
        let reason = ServiceAccount::parse(&text).expect_err("is no key");
        assert!(reason.contains(says) && !reason.contains("secret"), "{reason}");
    }
}

#[test]
fn nothing_of_a_key_is_shown() {
    let account = ServiceAccount::parse(&key_file().to_string()).expect("is a key");
    token(&account, 1);
    assert_eq!(format!("{account:?}"), "ServiceAccount { .. }");
}
