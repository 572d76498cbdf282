use super::*;

/// As kubelet writes it for a pod with a subdomain.
const HOSTS: &str = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n\
                     10.244.0.7\tflux-sample-0.flux-sample.hpc.svc.cluster.local\tflux-sample-0\n";

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pod() -> Given {
    Given { hostname: text("flux-sample-0"), index: text("0"), ..Given::default() }
}

#[test]
fn a_pod_of_a_minicluster_tells_all_by_itself() {
    let files = Files { hosts: HOSTS.to_owned(), ..Files::default() };
    let want = Identity {
        namespace: "hpc".to_owned(),
        minicluster: "flux-sample".to_owned(),
        pod: text("flux-sample-0"),
        headless_service: "flux-sample".to_owned(),
        index: Some(0),
    };
    assert_eq!(Identity::new(pod(), &files), Ok(want));
}

#[test]
fn the_namespace_comes_from_the_first_place_that_knows_it() {
    let resolv = "nameserver 10.96.0.10\nsearch dns.svc.cluster.local svc.cluster.local\n";
    let files = |account: &str, hosts: &str, resolv: &str| Files {
        service_account_namespace: account.to_owned(),
        hosts: hosts.to_owned(),
        resolv_conf: resolv.to_owned(),
    };
    for (given, files, want) in [
        (text("flag"), files("account\n", HOSTS, resolv), text("flag")),
        (None, files("account\n", HOSTS, resolv), text("account")),
        (None, files("", HOSTS, resolv), text("hpc")),
        (None, files("", "10.0.0.1 other-0.svc.ns.svc other-0", resolv), text("dns")),
        (None, files("", "", "search example.org svc.cluster.local\n"), None),
        (None, files("", "", ""), None),
    ] {
        let given = Given { namespace: given, ..pod() };
        let found = Identity::new(given, &files).ok().map(|identity| identity.namespace);
        assert_eq!(found, want, "{files:?}");
    }
}

#[test]
fn hosts_lines_that_are_not_the_pods_own_are_passed_over() {
    for hosts in [
        "",
        "garbage",
        "10.0.0.1 flux-sample-0",
        "10.0.0.1 flux-sample-0.flux-sample.hpc.example.org",
        "10.0.0.1 flux-sample-01.flux-sample.hpc.svc.cluster.local",
        "#10.0.0.1 flux-sample-0.flux-sample.hpc.svc.cluster.local",
        "10.0.0.1 flux-sample-0...svc",
    ] {
        assert!(full_name(hosts, "flux-sample-0").is_none(), "{hosts:?}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let given = Given { hostname: text("Desk"), index: text("x"), ..Given::default() };
    let wrong = Identity::new(given, &Files::default()).unwrap_err();
    assert_eq!(wrong.len(), 4, "{wrong:?}");

    // A desk needs no more than the two names.
    let desk = |minicluster| Given {
        namespace: text("default"),
        minicluster,
        hostname: text("Desk"),
        ..Given::default()
    };
    let identity = Identity::new(desk(text("desk")), &Files::default()).unwrap();
    let broker = Broker {
        rank: 2,
        size: 4,
        hostname: "Desk".to_owned(),
        version: String::new(),
        start_time: 0.0,
    };
    assert_eq!(identity.pod_of(&broker), "desk-2");
    assert_eq!(identity.doubts(&broker), Vec::<String>::new());

    // Outside a Job nothing says where the MiniCluster's name ends.
    let given = Given { index: None, namespace: text("hpc"), ..pod() };
    let wrong = Identity::new(given, &Files::default()).unwrap_err();
    assert!(matches!(wrong.as_slice(), [IdentityError::MiniCluster { .. }]), "{wrong:?}");
}

#[test]
fn a_broker_that_is_not_this_pods_own_raises_doubts() {
    let files = Files { hosts: HOSTS.to_owned(), ..Files::default() };
    let identity = Identity::new(pod(), &files).unwrap();
    let broker = |rank, hostname: &str| Broker {
        rank,
        size: 4,
        hostname: hostname.to_owned(),
        version: String::new(),
        start_time: 0.0,
    };
    assert_eq!(identity.doubts(&broker(0, "flux-sample-0")), Vec::<String>::new());
    assert_eq!(identity.doubts(&broker(2, "flux-sample-2")).len(), 1);
    assert_eq!(identity.doubts(&broker(0, "elsewhere")).len(), 1);
}

#[test]
fn files_are_found_below_the_root() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    std::fs::write(root.path().join("etc/hosts"), HOSTS).unwrap();
    let files = Files::read(root.path());
    assert_eq!((files.hosts.as_str(), files.resolv_conf.as_str()), (HOSTS, ""));
}
