use super::*;

fn exit_status(args: &[&str]) -> String {
    let args = std::iter::once("fluxgauge-gateway").chain(args.iter().copied());
    format!("{:?}", main(args))
}

#[test]
fn the_exit_status_says_whose_fault_it_was() {
    let (success, failure, usage) = (ExitCode::SUCCESS, ExitCode::FAILURE, ExitCode::from(64));
    let kubeconfig = ["--plain-http", "--plain-http-anywhere", "--kubeconfig", "/nonexistent"];
    let absent = ["--tls-cert", "/nonexistent/tls.crt", "--tls-key", "/nonexistent/tls.key"];
    let anybody = ["--insecure-readers", "--insecure-collectors"];
    let of_anybody = [&absent[..], &anybody].concat();
    let cases: [(&[&str], ExitCode); 8] = [
        (&["--help"], success),
        (&["--version"], success),
        (&["--no-such-flag"], usage),
        (&[], usage),
        (&["--plain-http"], usage),
        (&kubeconfig, usage),
        (&absent, usage),
        (&of_anybody, failure),
    ];
    for (args, want) in cases {
        assert_eq!(exit_status(args), format!("{want:?}"), "{args:?}");
    }
}
