//! Makes the server side of EventStoreDB's protocol from the definition that its client ships, for the
//! tests of `kurrent`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "kurrent")]
    {
        println!("cargo::rerun-if-changed=../Cargo.lock");
        kurrent::generate();
    }
}

#[cfg(feature = "kurrent")]
mod kurrent {
    use std::path::PathBuf;
    use std::process::Command;

    /// Where Cargo keeps the source of the client.
    fn client() -> PathBuf {
        let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("by Cargo"));
        let output = Command::new(std::env::var_os("CARGO").expect("by Cargo"))
            .args(["metadata", "--format-version", "1", "--offline", "--locked", "--all-features"])
            // A fresh machine has the packages of its own platform only.
            .arg("--filter-platform")
            .arg(std::env::var_os("HOST").expect("by Cargo"))
            .arg("--manifest-path")
            .arg(manifest.join("Cargo.toml"))
            .output()
            .expect("cargo runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo metadata: {error}");
        let metadata: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
        let mut packages = metadata["packages"].as_array().expect("packages").iter();
        let client = packages.find(|package| package["name"] == "eventstore");
        let manifest = client.expect("eventstore is in Cargo.lock")["manifest_path"].as_str();
        PathBuf::from(manifest.expect("a path")).parent().expect("a directory").to_owned()
    }

    pub(crate) fn generate() {
        let protos = client().join("protos");
        let files = ["streams.proto", "serverfeatures.proto", "gossip.proto"];
        let files = protox::compile(files, [&protos]).expect("the client's own definition");
        tonic_build::configure()
            .build_client(false)
            .include_file("protocol.rs")
            .compile_fds(files)
            .expect("Rust of the definition");
    }
}
