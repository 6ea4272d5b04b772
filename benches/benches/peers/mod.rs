//! Filters of other crates. `cream` keeps its parser to itself, so its router is asked with and without a filter, and
//! the difference counts; that difference holds its own resolving of names too.

use std::str::FromStr;

use axum::body::Body;
use axum::http::request::Parts;
use cream::hidden::ijson::IObject;
use cream::{
    CreamBuilder, Error, GenericResourceManager, GetResourceArgs, ListResourceArgs, ListResourceResult,
    ResourceType, Schema, UpdateResourceArgs,
};
use futures_util::FutureExt;
use scim_bench::Contest;
use scim_core::schema::Registry;
use serde_json::json;
use tower::ServiceExt;

/// Adds the parsers that can be called.
pub(crate) fn join<'a>(contest: Contest<'a>, text: &'a str) -> Contest<'a> {
    let (rest, _) = scim_filter::parser::filter(text).expect("a filter");
    assert_eq!(rest, "", "parsed to its end");
    contest
        .with("scim_v2 1.0, parse", move || scim_v2::filter::Filter::from_str(text).expect("a filter"))
        .with("scim-filter 0.2, parse", move || scim_filter::parser::filter(text).expect("a filter"))
}

/// Prints what a filter costs within `cream`'s router.
pub(crate) fn through_router(tasks: &[(&str, &str)]) {
    let config = json!({
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": 100 },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": false },
        "authenticationSchemes": [],
    });
    let config = serde_json::from_value(config).expect("a configuration");
    let router = CreamBuilder::new("http://localhost", config).resource_type(Nobody).build().router();
    let ask = |uri: String| {
        let router = router.clone();
        move || {
            let request = axum::http::Request::builder().uri(uri.as_str()).body(Body::empty());
            let answer = router.clone().oneshot(request.expect("a request")).now_or_never();
            let answer = answer.expect("never waits").expect("cannot fail");
            assert!(answer.status().is_success(), "{}", answer.status());
        }
    };
    for (task, text) in tasks {
        let query: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let registry = Registry::builtin().expect("built in");
        let user = registry.endpoint("Users").expect("built in");
        let figures = Contest::new()
            .with("ours", || scim_core::filter::Filter::parse(text, user).expect("a filter"))
            .with("without", ask("/Users".to_owned()))
            .with("with", ask(format!("/Users?filter={query}")))
            .figures();
        let [ours, without, with] = figures.as_slice() else { return };
        let nanos = with.nanos - without.nanos;
        println!(
            "{task:<28} {:<34} {nanos:>12.0} ns {:>9.2} ×",
            "cream 0.2, within its router",
            nanos / ours.nanos
        );
    }
}

/// Has no resources.
#[derive(Debug)]
struct Nobody;

#[cream::hidden::async_trait::async_trait]
impl GenericResourceManager for Nobody {
    async fn list(
        &self,
        _: &'async_trait Parts,
        args: ListResourceArgs<'async_trait>,
    ) -> Result<ListResourceResult<IObject>, Error> {
        std::hint::black_box(&args.filter);
        Ok(ListResourceResult { resources: Vec::new(), items_per_page: 0, total_count: 0 })
    }

    async fn get(&self, _: &'async_trait Parts, _: GetResourceArgs<'async_trait>) -> Result<IObject, Error> {
        Err(Error::not_found())
    }

    async fn create(&self, _: &'async_trait Parts, _: IObject) -> Result<String, Error> {
        Err(Error::not_found())
    }

    async fn update(&self, _: &'async_trait Parts, _: UpdateResourceArgs<'async_trait>) -> Result<(), Error> {
        Err(Error::not_found())
    }

    async fn replace(&self, _: &'async_trait Parts, _: &str, _: IObject) -> Result<(), Error> {
        Err(Error::not_found())
    }

    async fn delete(&self, _: &'async_trait Parts, _: &str) -> Result<(), Error> {
        Err(Error::not_found())
    }

    fn load_resource_type(&self) -> ResourceType {
        let registry = Registry::builtin().expect("built in");
        let user = registry.resource_type("User").expect("built in");
        serde_json::from_value(user.to_json()).expect("a resource type")
    }

    fn load_schema(&self, id: &str) -> Schema {
        let registry = Registry::builtin().expect("built in");
        serde_json::from_value(registry.schema(id).expect("built in").to_json()).expect("a schema")
    }
}
