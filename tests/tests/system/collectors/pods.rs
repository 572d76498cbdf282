//! Tokens of pods: who is in a pod reports for its index of its MiniCluster.

use system_tests::fake_api::Mood;

use super::*;

/// An API server with the two pods of MiniCluster `mc0`, and a gateway that asks it.
struct Pods {
    api: FakeApi,
    gateway: TestGateway,
}

impl Pods {
    async fn start(more: &[&str]) -> Self {
        let api = FakeApi::start().await;
        add_job(&api, "mc0");
        for index in 0..2 {
            api.apply(pod("mc0", index, "aaaaa"));
        }
        let gateway = by_pods(&api, &TestCa::new(), more).await;
        Self { api, gateway }
    }

    /// A token of a pod.
    fn token(&self, pod: &Value) -> String {
        self.api.make_token(Some(pod), None, in_an_hour())
    }

    async fn connect(&self, hello: Hello, token: &str) -> Result<FakeCollector, Status> {
        FakeCollector::connect_with(self.gateway.channel().await, hello, Some(token)).await
    }

    async fn refusal(&self, hello: Hello, token: &str) -> Status {
        refusal(self.gateway.channel().await, hello, Some(token)).await
    }
}

#[tokio::test]
async fn a_pod_reports_its_own_index_of_its_own_minicluster_and_nothing_else() {
    let world = Pods::start(&[]).await;
    let token = world.token(&pod("mc0", 1, "aaaaa"));
    let mut worker = world.connect(hello("mc0", 1), &token).await.unwrap();
    worker.report(&[("broker_up", 1.0)]).await.unwrap();
    let path = format!("{}/pods/mc0-1-aaaaa/broker_up", system_tests::client::HPC);
    // By the token its pod is known at once, though the collector knows its hostname alone.
    assert_eq!(world.gateway.client().get(&path).await.value(), Ok(1.0));

    let refused = world.refusal(hello("mc0", 0), &token).await;
    says(&refused, Code::PermissionDenied, "of index 1 of MiniCluster mc0 and claims rank 0");
    let refused = world.refusal(hello("mc1", 1), &token).await;
    says(&refused, Code::PermissionDenied, "of MiniCluster mc0 and claims MiniCluster mc1");
    let elsewhere = Hello { namespace: "lab".to_owned(), ..hello("mc0", 1) };
    let refused = world.refusal(elsewhere, &token).await;
    says(&refused, Code::PermissionDenied, "of namespace hpc and claims namespace lab");
    let refused = worker.report(&UP).await.unwrap_err();
    says(&refused, Code::PermissionDenied, "only the collector of rank 0 reports it");
}

#[tokio::test]
async fn tokens_of_both_audiences_are_taken_and_no_others() {
    let world = Pods::start(&[]).await;
    let pod = pod("mc0", 0, "aaaaa");
    let made_for = |audience| world.api.make_token(Some(&pod), Some(audience), in_an_hour());
    world.connect(hello("mc0", 0), &world.token(&pod)).await.unwrap();
    world.connect(hello("mc0", 0), &made_for("fluxgauge")).await.unwrap();
    let refused = world.refusal(hello("mc0", 0), &made_for("vault")).await;
    says(&refused, Code::Unauthenticated, "another audience than that of the API server and");

    let world = Pods::start(&["--collector-audience", "gauge"]).await;
    let made_for = |audience| world.api.make_token(Some(&pod), Some(audience), in_an_hour());
    world.connect(hello("mc0", 0), &made_for("gauge")).await.unwrap();
    world.refusal(hello("mc0", 0), &made_for("fluxgauge")).await;
}

#[tokio::test]
async fn what_the_watch_has_not_seen_yet_is_waited_for() {
    let world = Pods::start(&[]).await;
    let new = pod("mc0", 2, "aaaaa");
    let token = world.token(&new);
    let hello = hello("mc0", 2);
    let reviews = async || is(world.api.token_reviews().len() == 1);
    let (connected, ()) = tokio::join!(world.connect(hello, &token), async {
        eventually("the token is reviewed", reviews).await;
        world.api.apply(new.clone());
    });
    connected.unwrap();
}

#[tokio::test]
async fn a_pod_that_is_of_no_minicluster_reports_nothing() {
    let world = Pods::start(&[]).await;
    let mut unlabelled = pod("mc0", 3, "aaaaa");
    unlabelled["metadata"]["labels"] = json!({"app": "nginx"});
    let refused = world.refusal(hello("mc0", 0), &world.token(&unlabelled)).await;
    says(&refused, Code::Unavailable, "has not seen pod mc0-3-aaaaa");

    let of_nobody =
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "controller": true, "name": "c"});
    world.api.add_job("mc7", "uid-of-job-mc7", &of_nobody);
    let forged = pod("mc7", 0, "aaaaa");
    world.api.apply(forged.clone());
    let refused = world.refusal(hello("mc7", 0), &world.token(&forged)).await;
    says(&refused, Code::PermissionDenied, "no MiniCluster controls Job mc7 of pod mc7-0-aaaaa");

    // The label says one MiniCluster, the Job's owner another.
    let mut other = pod("mc0", 4, "aaaaa");
    other["metadata"]["labels"]["hpa-selector"] = json!("mc1");
    world.api.apply(other.clone());
    let refused = world.refusal(hello("mc1", 4), &world.token(&other)).await;
    says(&refused, Code::PermissionDenied, "its Job is of MiniCluster mc0");

    let mut without = pod("mc0", 5, "aaaaa");
    without["metadata"]["ownerReferences"] = json!([]);
    world.api.apply(without.clone());
    let refused = world.refusal(hello("mc0", 5), &world.token(&without)).await;
    says(&refused, Code::PermissionDenied, "no Job controls pod mc0-5-aaaaa");
}

#[tokio::test]
async fn a_token_of_no_pod_reports_for_its_namespace_only_where_that_is_asked_for() {
    let world = Pods::start(&[]).await;
    let token = world.api.make_token(None, None, in_an_hour());
    let refused = world.refusal(hello("mc0", 0), &token).await;
    says(&refused, Code::PermissionDenied, "was made for no pod");
    world.api.give_token("e30.e30.c2ln", "alice", &[]);
    let refused = world.refusal(hello("mc0", 0), "e30.e30.c2ln").await;
    says(&refused, Code::PermissionDenied, "is of alice, which is no service account");

    let world = Pods::start(&["--collectors-by-namespace"]).await;
    let token = world.api.make_token(None, None, in_an_hour());
    let gateway = world.gateway.client();
    eventually("the pods are known", async || is(gateway.get("/readyz/pods").await.status == 200))
        .await;
    let mut of_namespace = world.connect(hello("mc0", 0), &token).await.unwrap();
    of_namespace.report(&UP).await.unwrap();
    world.connect(hello("mc9", 0), &token).await.unwrap();
    let refused = world.refusal(hello("mc0", 2), &token).await;
    says(&refused, Code::PermissionDenied, "MiniCluster mc0 has no pod of index 2");
    let elsewhere = Hello { namespace: "lab".to_owned(), ..hello("mc0", 0) };
    says(&world.refusal(elsewhere, &token).await, Code::PermissionDenied, "of namespace hpc");

    // Identity wins, and not who comes first or last.
    let own = world.token(&pod("mc0", 0, "aaaaa"));
    let mut lead = world.connect(hello("mc0", 0), &own).await.unwrap();
    lead.report(&[("node_up_count", 7.0)]).await.unwrap();
    let replaced = of_namespace.report(&UP).await.unwrap_err();
    assert_eq!(replaced.code(), Code::Aborted, "{replaced}");
    let younger = Hello { broker_start_time: 2e9, ..hello("mc0", 0) };
    says(&world.refusal(younger, &token).await, Code::PermissionDenied, "proved more exactly");
    assert_eq!(gateway.metric("mc0", "node_up_count").await, Ok(7.0));
}

#[tokio::test]
async fn the_pod_that_holds_the_index_reports_whatever_clocks_say() {
    let world = Pods::start(&[]).await;
    let old = pod("mc0", 0, "aaaaa");
    let early = Hello { broker_start_time: 2e9, ..hello("mc0", 0) };
    let mut first = world.connect(early.clone(), &world.token(&old)).await.unwrap();
    first.report(&UP).await.unwrap();
    let mut ending = old.clone();
    ending["metadata"]["deletionTimestamp"] = json!("2026-11-23T22:55:00Z");
    world.api.apply(ending);
    first.report(&UP).await.unwrap();

    let mut new = pod("mc0", 0, "bbbbb");
    new["metadata"]["creationTimestamp"] = json!("2026-11-23T22:56:00Z");
    world.api.apply(new.clone());
    says(&first.end().await, Code::PermissionDenied, "pod mc0-0-bbbbb does");
    let late = Hello { broker_start_time: 1e9, ..hello("mc0", 0) };
    let mut second = world.connect(late, &world.token(&new)).await.unwrap();
    second.report(&[("node_up_count", 5.0)]).await.unwrap();
    let refused = world.refusal(early, &world.token(&old)).await;
    says(&refused, Code::PermissionDenied, "does not hold index 0 of MiniCluster mc0 any more");
    assert_eq!(world.gateway.client().metric("mc0", "node_up_count").await, Ok(5.0));

    world.api.delete("mc0-0-bbbbb");
    says(&second.end().await, Code::PermissionDenied, "mc0-0-bbbbb has ended");
}

#[tokio::test]
async fn a_pod_cannot_take_the_service_of_another_minicluster() {
    let world = Pods::start(&[]).await;
    add_job(&world.api, "mc1");
    let mut victim = pod("mc1", 0, "aaaaa");
    victim["spec"]["subdomain"] = json!("flux-of-mc1");
    world.api.apply(victim.clone());
    // What a collector says of Services does not count where its pod is known.
    let says = |name: &str, service: &str| Hello {
        headless_service: service.to_owned(),
        ..hello(name, 0)
    };
    let token = world.token(&victim);
    let mut own = world.connect(says("mc1", ""), &token).await.unwrap();
    own.report(&UP).await.unwrap();
    let token = world.token(&pod("mc0", 0, "aaaaa"));
    let mut rogue = world.connect(says("mc0", "flux-of-mc1"), &token).await.unwrap();
    rogue.report(&[("node_up_count", 9.0)]).await.unwrap();
    let path = format!("{}/services/flux-of-mc1/node_up_count", system_tests::client::HPC);
    assert_eq!(world.gateway.client().get(&path).await.value(), Ok(4.0));
}

#[tokio::test]
async fn while_kubernetes_does_not_answer_streams_go_on_and_none_begins() {
    let world = Pods::start(&[]).await;
    let token = world.token(&pod("mc0", 0, "aaaaa"));
    let mut lead = world.connect(hello("mc0", 0), &token).await.unwrap();
    world.api.be(Mood::Fails(403));
    lead.report(&UP).await.unwrap();
    let other = world.token(&pod("mc0", 1, "aaaaa"));
    let refused = world.refusal(hello("mc0", 1), &other).await;
    says(&refused, Code::Unavailable, "cannot ask the Kubernetes API server");
    world.api.be(Mood::Answers);
    // It is not remembered.
    world.connect(hello("mc0", 1), &other).await.unwrap();
}

#[tokio::test]
async fn where_jobs_cannot_be_read_nobody_is_believed_to_be_of_a_minicluster() {
    let world = Pods::start(&[]).await;
    let own = pod("mc1", 0, "aaaaa");
    world.api.apply(own.clone());
    // Whatever the API server is not told of, it refuses.
    let refused = world.refusal(hello("mc1", 0), &world.token(&own)).await;
    says(&refused, Code::Unavailable, "cannot read Job mc1 from Kubernetes, and its log says why");
    assert!(!refused.message().contains("is not for gateways"), "{refused}");
    add_job(&world.api, "mc1");
    world.connect(hello("mc1", 0), &world.token(&own)).await.unwrap();
}
