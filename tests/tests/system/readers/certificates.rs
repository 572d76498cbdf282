//! Readers with certificates: front proxies, which pass on what others ask, and clients.

use super::*;

const ALICE: [(&str, &str); 7] = [
    ("x-remote-user", "alice"),
    ("x-remote-uid", "7"),
    ("x-remote-group", "dev"),
    ("x-remote-group", "ops"),
    ("x-remote-extra-scopes", "one"),
    ("x-remote-extra-scopes", "two"),
    ("x-remote-extra-example.org%2fpod", "mc0-0"),
];

#[tokio::test]
async fn a_front_proxy_passes_on_name_uid_groups_and_extras() {
    let readers = Readers::start().await;
    readers.api.allow(&right("alice"));
    let answer = ask(&readers.proxy(), &metric(), &ALICE).await;
    assert_eq!(answer.value(), Ok(4.0));
    let spec = readers.api.last_access_review()["spec"].clone();
    assert_eq!(spec["user"], "alice");
    assert_eq!(spec["uid"], "7");
    assert_eq!(spec["groups"], serde_json::json!(["dev", "ops", "system:authenticated"]));
    let extra = serde_json::json!({"scopes": ["one", "two"], "example.org/pod": ["mc0-0"]});
    assert_eq!(spec["extra"], extra);
}

#[tokio::test]
async fn a_uid_is_passed_on_only_where_the_cluster_knows_that_header() {
    let readers = Readers::start().await;
    let (proxies, clients) = (readers.proxies.pem(), readers.clients.pem());
    let older = as_of_today(&proxies, &clients);
    let older: Vec<_> =
        older.into_iter().filter(|(key, _)| *key != "requestheader-uid-headers").collect();
    readers.api.trust(&older);
    eventually("the UID is not believed", async || {
        ask(&readers.proxy(), &metric(), &ALICE).await.refusal(403);
        let spec = readers.api.last_access_review()["spec"].clone();
        if spec["uid"].is_null() { Ok(()) } else { Err(spec) }
    })
    .await;
}

#[tokio::test]
async fn who_is_no_front_proxy_passes_on_nothing() {
    let readers = Readers::start().await;
    for user in ["alice", "system:anonymous"] {
        readers.api.allow(&right(user));
    }
    readers.api.forbid(&right("system:anonymous"));
    let refusal = ask(&readers.anonymous(), &metric(), &ALICE).await.refusal(403);
    assert!(refusal.contains("User \"system:anonymous\""), "{refusal}");
    let client = readers.with_certificate(&readers.clients, PROXY);
    let refusal = ask(&client, &metric(), &ALICE).await.refusal(403);
    assert!(refusal.contains("User \"front-proxy-client\""), "{refusal}");
    for (authority, name) in [(&TestCa::new(), PROXY), (&readers.proxies, "mallory")] {
        let client = readers.with_certificate(authority, name);
        let answer = ask(&client, &metric(), &ALICE).await;
        assert_eq!(answer.refusal(401), "Unauthorized", "{name}");
        assert_eq!(client.get("/livez").await.status, 401, "{name}: as in Kubernetes");
    }
    let users: Vec<_> = readers.api.access_reviews();
    assert!(!users.iter().any(|line| line.starts_with("alice ")), "{users:?}");
}

#[tokio::test]
async fn a_client_is_who_its_certificate_says() {
    let readers = Readers::start().await;
    readers.api.allow(&right("bob"));
    let bob = readers.with_certificate(&readers.clients, "bob");
    assert_eq!(bob.get(&metric()).await.value(), Ok(4.0));
    let groups = &readers.api.last_access_review()["spec"]["groups"];
    assert_eq!(*groups, serde_json::json!(["system:authenticated"]));
    // Both protocols, and again on the same connection.
    for mut connection in [bob.connect_http1().await.unwrap(), bob.connect_http2().await.unwrap()] {
        for _ in 0..2 {
            assert_eq!(connection.ask(get(&metric())).await.unwrap().value(), Ok(4.0));
        }
    }
}

#[tokio::test]
async fn discovery_needs_no_question_where_a_front_proxy_asks() {
    let readers = Readers::start().await;
    let proxy = readers.proxy();
    let resources = format!("/apis/{GROUP}");
    for path in ["/apis", &resources, "/openapi/v2", "/openapi/v3"] {
        // Without any group, as the aggregator itself asks.
        let answer = ask(&proxy, path, &[("x-remote-user", "system:aggregator")]).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    assert_eq!(readers.api.access_reviews(), [""; 0]);
}

#[tokio::test]
async fn another_authority_or_another_header_is_live_without_a_restart() {
    let readers = Readers::start().await;
    readers.api.allow(&right("alice"));
    let next = TestCa::new();
    let old = readers.proxy();
    // One that lasts: what it has proved is looked at again.
    let mut kept = old.connect_http2().await.unwrap();
    assert_eq!(kept.ask(with(get(&metric()), &ALICE)).await.unwrap().value(), Ok(4.0));

    let (pem, clients) = (next.pem(), readers.clients.pem());
    let mut data = as_of_today(&pem, &clients);
    data[2].1 = "[]";
    data[3].1 = r#"["X-Other-User"]"#;
    readers.api.trust(&data);
    let new = readers.with_certificate(&next, "of any name");
    eventually("the new authority is believed", async || {
        let answer = ask(&new, &metric(), &[("x-other-user", "alice")]).await;
        is(answer.status == 200)
    })
    .await;
    ask(&old, &metric(), &ALICE).await.refusal(401);
    kept.ask(with(get(&metric()), &ALICE)).await.unwrap().refusal(401);

    // An administrator's slip, or an API server that starts: nobody is locked out.
    data[1].1 = "";
    data[3].1 = r#"["X-Remote-User"]"#;
    readers.api.trust(&data);
    eventually("the last good authority is kept, with the new header", async || {
        is(ask(&new, &metric(), &ALICE).await.status == 200)
    })
    .await;
}

#[tokio::test]
async fn a_gateway_is_not_ready_until_it_knows_whom_to_believe() {
    let (api, ca, proxies) = (FakeApi::start().await, TestCa::new(), TestCa::new());
    let pem = proxies.pem();
    api.trust(&as_of_today(&pem, &pem));
    api.keep_trust(true);
    let gateway = gateway(&api, &ca).await;
    eventually("all else is ready", async || {
        is(gateway.client().get("/readyz?exclude=authentication").await.status == 200)
    })
    .await;
    let not_ready = gateway.client().get("/readyz").await;
    assert_eq!(not_ready.status, 500);
    let text = String::from_utf8(not_ready.body.to_vec()).unwrap();
    assert!(text.contains("[-]authentication failed"), "{text}");
    api.keep_trust(false);
    eventually("it is ready", async || is(gateway.client().get("/readyz").await.status == 200))
        .await;
}

#[tokio::test]
async fn without_the_config_map_tokens_are_all_that_counts() {
    let (api, ca) = (FakeApi::start().await, TestCa::new());
    api.give_token("of-carol", "carol", &[]);
    api.allow("carol get /version");
    let gateway = gateway(&api, &ca).await;
    eventually("it is ready", async || is(gateway.client().get("/readyz").await.status == 200))
        .await;
    let client = gateway.client().with_certificate(&ca, &TestCa::new().client(PROXY));
    let carol = [("authorization", "Bearer of-carol"), ("x-remote-user", "alice")];
    assert_eq!(ask(&client, "/version", &carol).await.status, 200);
    let refusal = ask(&client, "/version", &ALICE).await.refusal(403);
    assert!(refusal.contains("system:anonymous"), "{refusal}");
}

#[tokio::test]
async fn one_who_proves_nothing_is_asked_to_leave_an_http_2_connection() {
    let readers = Readers::start().await;
    let stranger = readers.with_certificate(&TestCa::new(), PROXY);
    let mut connection = stranger.connect_http2().await.unwrap();
    connection.ask(get(&metric())).await.unwrap().refusal(401);
    eventually("the connection has ended", async || {
        is(connection.ask(get(&metric())).await.is_err())
    })
    .await;
}
