use super::*;

#[test]
fn the_gateways_line_names_both_ports() {
    let line = "listening api=127.0.0.1:8443 ingest=[::1]:8444";
    let addresses = Addresses::parse(line).unwrap();
    assert_eq!(addresses.api, "127.0.0.1:8443".parse().unwrap());
    assert_eq!(addresses.ingest, "[::1]:8444".parse().unwrap());
    for line in ["", "listening", "listening api=127.0.0.1:1", "listening api=x ingest=y"] {
        assert_eq!(Addresses::parse(line), None, "{line}");
    }
}

#[test]
fn an_end_tells_who_how_and_the_last_words() {
    let end = End {
        role: Role::Gateway,
        pid: 7,
        status: Err(io::Error::other("lost")),
        last_lines: ["a", "b"].map(str::to_owned).into(),
    };
    assert_eq!(
        obituary(&end),
        "The gateway (process 7) ended: its exit status is unknown: lost. It said at last:\n  \
         a\n  b"
    );
}
