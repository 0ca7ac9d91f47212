//! The page in a real browser, with the log of the demo: `browser/check.mjs` does what a person does.

use super::http::{Running, fixture};
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_for_everybody() {
    let engine = fixture::empty(&tranche::demo::begins().to_string()).await;
    tranche::demo::play(&engine).await.unwrap();
    let server = Running::start(engine).await;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = here.join("../target/test-tools");
    let missing = "is not installed: run tests/run, which installs it";
    assert!(tools.join("node_modules/playwright-core").exists(), "playwright-core {missing}");
    assert!(tools.join("node_modules/axe-core").exists(), "axe-core {missing}");
    let screenshots = here.join("../target/screenshots");
    std::fs::create_dir_all(&screenshots).unwrap();
    let mut command = Command::new("node");
    command.arg(here.join("browser/check.mjs")).arg(format!("http://{}", server.address));
    command.arg(tools.canonicalize().unwrap()).arg(screenshots.canonicalize().unwrap());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let output = output.expect("node can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    server.stop().await;
}
