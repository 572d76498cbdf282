//! Application code in the broker's pod: it has the token that the collector has.

use fluxgauge_proto::v1::Scope;
use system_tests::fake_collector::{sample, series};

use super::*;

#[tokio::test]
async fn an_application_falsifies_its_own_minicluster_and_nothing_else() {
    let Some(world) = World::start().await else { return };
    let mut bystander = world.bystander().await;
    let (lead, worker) = (world.pod("lab", "mc0", 0).await, world.pod("lab", "mc0", 1).await);
    let (of_lead, of_worker) = (world.token(&lead).await, world.token(&worker).await);

    // Its own numbers are what it says, and a sum that they are part of.
    let mut own = world.connect(hello("lab", "mc0", 0), &of_lead).await.unwrap();
    own.report(&[("node_up_count", 1e9)]).await.unwrap();
    for object in ["miniclusters.flux-framework.org/mc0", "services/mc0", "metrics"] {
        assert_eq!(world.read(&metric("lab", object)).await, Ok(1e9), "{object}");
    }

    // Whatever else it claims is refused.
    let denied = [Code::PermissionDenied];
    bystander
        .beside(async {
            for (namespace, minicluster, rank) in
                [("lab", "mc0", 1), ("lab", "mc1", 0), ("hpc", "mc0", 0), ("hpc", "mc0", 1)]
            {
                world.refuses(hello(namespace, minicluster, rank), &of_lead, &denied).await;
            }
            world.refuses(hello("lab", "mc0", 0), &of_worker, &denied).await;
            // From the worker's pod not even the instance, by whatever name.
            for name in ["node_up_count", "anything"] {
                let mut as_worker =
                    world.connect(hello("lab", "mc0", 1), &of_worker).await.unwrap();
                let refusal = as_worker.report(&[(name, 1e9)]).await.unwrap_err();
                assert_eq!(refusal.code(), Code::PermissionDenied, "{refusal}");
            }
            for name in ["status", "finalize", "../../hpc/services/mc0/node_up_count", "a%2fb", ""]
            {
                let mut as_worker =
                    world.connect(hello("lab", "mc0", 1), &of_worker).await.unwrap();
                let mut odd = sample(&[]);
                let mut one = series("broker_up", 1.0);
                let key = one.key.as_mut().unwrap();
                (key.metric, key.scope) = (name.to_owned(), Scope::Broker.into());
                odd.series.push(one);
                let refusal = as_worker.send(odd).await.unwrap_err();
                assert_eq!(refusal.code(), Code::InvalidArgument, "{name}: {refusal}");
            }
        })
        .await;

    // The token opens nothing else.
    let client = world.gateway().client().from(ELSEWHERE);
    for namespace in ["lab", "hpc"] {
        let path = metric(namespace, "miniclusters.flux-framework.org/mc0");
        let refusal = world.read_by(&client, &path, &of_lead).await.refusal(403);
        assert!(refusal.contains("system:serviceaccount:lab:default"), "{refusal}");
    }
    let account = world.plane().service_account_kubeconfig("lab", "default").await.unwrap();
    for args in [
        &["get", "pods", "--namespace=lab"][..],
        &["get", "secrets", "--namespace=lab"],
        &["create", "token", "default", "--namespace=lab"],
    ] {
        is_forbidden(world.plane(), &account, args).await;
    }
    bystander.look().await;
}
