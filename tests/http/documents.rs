//! The OpenAPI and AsyncAPI documents, held against validators and a fuzzer that we did not write.

use super::{Running, fixture};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `tests/run` puts the tools; without them these tests fail, and say so.
fn tool(name: &str) -> PathBuf {
    let path = target().join("test-tools/python/bin").join(name);
    assert!(path.exists(), "{name} is not installed: run tests/run, which installs it");
    path
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").canonicalize().unwrap()
}

#[test]
fn the_openapi_document_is_valid() {
    let file = target().join("openapi.json");
    std::fs::write(&file, tranche::http::openapi()).unwrap();
    let output = Command::new(tool("openapi-spec-validator")).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_asyncapi_document_is_valid() {
    let tools = target().join("test-tools/node_modules/@asyncapi/parser");
    assert!(tools.exists(), "@asyncapi/parser is not installed: run tests/run, which installs it");
    let file = target().join("asyncapi.json");
    std::fs::write(&file, tranche::asyncapi::DOCUMENT.as_str()).unwrap();
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("http/asyncapi.mjs");
    let output = Command::new("node").arg(check).args([&tools, &file]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzer_finds_no_answer_that_the_document_does_not_allow() {
    let server = Running::start(fixture::engine().await).await;
    let before = server.engine.now().position();
    let address = format!("http://{}/openapi.json", server.address);
    let tool = tool("st");
    let output = tokio::task::spawn_blocking(move || {
        Command::new(tool)
            .current_dir(target())
            .args(["run", &address, "--phases=examples,fuzzing", "--max-examples=3"])
            .args(["--mode=all", "--seed=1", "--workers=2", "--request-timeout=20"])
            .args(["--checks=not_a_server_error,status_code_conformance,content_type_conformance"])
            .args(["--checks=response_schema_conformance", "--generation-database=none"])
            .args(["--exclude-path=/log", "--no-color"])
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.engine.now().position() >= before);
    assert_eq!(server.get("/readyz").await.status, 200);
}
