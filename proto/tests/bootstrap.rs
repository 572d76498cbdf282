//! Makes `src/gen` from the `.proto` file and fails when what is committed differs, so that a
//! build needs no generator. To accept a change, run this test once and commit the result.

use std::{fs, path::Path};

#[test]
fn generated_code_is_what_the_proto_file_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let include = root;
    let generated = root.join("src/gen/fluxgauge.telemetry.v1.rs");
    let fresh_dir = Path::new(env!("CARGO_TARGET_TMPDIR"));

    let descriptors = protox::compile(["fluxgauge/telemetry/v1/telemetry.proto"], [include])
        .expect("the .proto file parses");
    tonic_prost_build::configure()
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .out_dir(fresh_dir)
        .compile_fds(descriptors)
        .expect("code is generated");

    let fresh = fs::read_to_string(fresh_dir.join("fluxgauge.telemetry.v1.rs")).expect("output");
    let committed = fs::read_to_string(&generated).unwrap_or_default();
    if fresh != committed {
        fs::write(&generated, &fresh).expect("src/gen is writable");
        panic!("src/gen was out of date and has been rewritten: review and commit it");
    }
}
