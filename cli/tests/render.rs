//! What is rendered, held against files beside the documents, and shown to Envoy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails as a test does"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sluice_cli::{files, render};
use sluice_core::policy::Document;

/// Where an operator would put the module and find the certificate authorities; no file is looked at to render.
const MODULE: &str = "/etc/envoy/sluice.wasm";
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The folder of the examples that people copy.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy");
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/render");

fn render(text: &str) -> Result<String, render::Error> {
    let files = render::Files { wasm: MODULE.into(), ca_bundle: Some(CA_BUNDLE.into()) };
    render::envoy(&Document::parse(text.as_bytes()).unwrap(), text, &files)
}

/// Every document of a folder, with the path of what is rendered of it.
fn documents(folder: &str, rendered: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(stem) = name.strip_suffix(".policy.yaml") {
            found.push((
                fs::read_to_string(&path).unwrap(),
                Path::new(folder).join(format!("{stem}{rendered}")),
            ));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no document");
    found
}

fn all_documents() -> Vec<(String, PathBuf)> {
    let mut all = documents(CASES, ".envoy.yaml");
    all.extend(documents(EXAMPLES, ".yaml"));
    all
}

/// With `UPDATE_GOLDENS` set, writes the files instead.
#[test]
fn documents_render_as_the_files_beside_them() {
    for (text, path) in all_documents() {
        let rendered = render(&text).unwrap();
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&path, &rendered).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let differing = rendered.lines().zip(golden.lines()).position(|(one, other)| one != other);
        assert!(
            rendered == golden,
            "{} is not what is rendered, from line {} on; set UPDATE_GOLDENS=1 to write it",
            path.display(),
            differing.unwrap_or_else(|| rendered.lines().count().min(golden.lines().count())) + 1
        );
    }
}

/// As the one above.
#[test]
fn limits_of_a_fleet_render_for_the_service_that_keeps_count() {
    for name in ["limits", "limits-synchronous"] {
        let text = fs::read_to_string(format!("{CASES}/{name}.policy.yaml")).unwrap();
        let rendered = render::ratelimit(&Document::parse(text.as_bytes()).unwrap()).unwrap();
        let path = format!("{CASES}/{name}.ratelimit.yaml");
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&path, &rendered).unwrap();
        }
        assert_eq!(rendered, fs::read_to_string(&path).unwrap_or_default(), "{path}");
    }
    let text = fs::read_to_string(format!("{CASES}/minimal.policy.yaml")).unwrap();
    assert!(render::ratelimit(&Document::parse(text.as_bytes()).unwrap()).is_err(), "there is no service");
}

#[test]
fn envoy_accepts_what_is_rendered() {
    for (_, path) in all_documents() {
        validate(&fs::read_to_string(&path).unwrap(), &path.display().to_string());
    }
}

/// The parts are put where the fragment says.
#[test]
fn envoy_accepts_the_example_of_browser_login() {
    let read = |name: &str| -> serde_json::Value {
        serde_saphyr::from_str(&fs::read_to_string(Path::new(EXAMPLES).join(name)).unwrap()).unwrap()
    };
    let (mut bootstrap, fragment) = (read("keys-and-sso.yaml"), read("browser-login.fragment.yaml"));
    let part = |name: &str| fragment.get(name).and_then(serde_json::Value::as_array).cloned().unwrap();
    let list = |path: &str| bootstrap.pointer(path).and_then(serde_json::Value::as_array).cloned().unwrap();
    let filters = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
    let clusters = "/static_resources/clusters";
    let all_filters = [part("http_filters"), list(filters)].concat();
    let all_clusters = [list(clusters), part("clusters")].concat();
    *bootstrap.pointer_mut(filters).unwrap() = all_filters.into();
    *bootstrap.pointer_mut(clusters).unwrap() = all_clusters.into();
    let resources = bootstrap.get_mut("static_resources").and_then(serde_json::Value::as_object_mut).unwrap();
    resources.insert("secrets".to_owned(), part("secrets").into());
    validate(&bootstrap.to_string(), "the example of browser login");
}

/// Shows a configuration to Envoy, if this machine has one.
fn validate(configuration: &str, name: &str) {
    let Some(envoy) = common::envoy() else { return };
    let folder = tempfile::tempdir().unwrap();
    let module = common::idle_module(folder.path());
    let ca_bundle = files::ca_bundle(None).unwrap().expect("this machine trusts certificate authorities");
    let here = configuration
        .replace(MODULE, module.to_str().unwrap())
        .replace(CA_BUNDLE, ca_bundle.to_str().unwrap());
    let bootstrap = folder.path().join("envoy.yaml");
    fs::write(&bootstrap, here).unwrap();
    let output = Command::new(&envoy.program)
        .args(["--mode", "validate", "--log-level", "warning", "--config-path"])
        .arg(&bootstrap)
        .envs([("OAUTH_CLIENT_SECRET", "secret"), ("OAUTH_COOKIE_SECRET", "secret")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}:\n{said}");
    assert!(!said.to_lowercase().contains("deprecated"), "{name}:\n{said}");
}

#[test]
fn the_document_reaches_the_module_byte_for_byte() {
    for (text, _) in all_documents() {
        let rendered: serde_json::Value = serde_saphyr::from_str(&render(&text).unwrap()).unwrap();
        let mut configurations = Vec::new();
        collect(&rendered, "configuration", &mut configurations);
        // The policy filter has it, and the service where there is one.
        assert_eq!(configurations.len(), 1 + usize::from(rendered.get("bootstrap_extensions").is_some()));
        for configuration in configurations {
            assert_eq!(configuration.get("value").and_then(serde_json::Value::as_str), Some(text.as_str()));
        }
    }
}

#[test]
fn the_two_filters_of_a_worker_share_one_virtual_machine() {
    for (text, _) in all_documents() {
        let rendered: serde_json::Value = serde_saphyr::from_str(&render(&text).unwrap()).unwrap();
        let mut machines = Vec::new();
        collect(&rendered, "vm_config", &mut machines);
        assert!(machines.len() > 1);
        assert!(machines.windows(2).all(|pair| pair.first() == pair.last()), "{machines:?}");
    }
}

fn collect<'v>(value: &'v serde_json::Value, key: &str, found: &mut Vec<&'v serde_json::Value>) {
    match value {
        serde_json::Value::Object(map) => {
            found.extend(map.get(key));
            map.values().for_each(|value| collect(value, key, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}

#[test]
fn https_without_authorities_is_refused() {
    let text = fs::read_to_string(Path::new(CASES).join("every-case.policy.yaml")).unwrap();
    let files = render::Files { wasm: MODULE.into(), ca_bundle: None };
    let error = render::envoy(&Document::parse(text.as_bytes()).unwrap(), &text, &files).unwrap_err();
    assert!(error.to_string().contains("provider `named` is reached by https"), "{error}");

    let source = "{source: {endpoint: 'https://keys.example', path: /keys, public_key: Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=}}";
    let text = format!("version: 1\nproviders: {{}}\nmodels: {{}}\ncallers: {source}\n");
    let error = render::envoy(&Document::parse(text.as_bytes()).unwrap(), &text, &files).unwrap_err();
    assert!(error.to_string().contains("`callers.source.endpoint` is reached by https"), "{error}");
}
