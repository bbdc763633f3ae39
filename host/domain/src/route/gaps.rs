//! Routes that are left without any handler that serves, and when people are told of them.
//!
//! Invariant: pure; the caller gives the routes, what serves, and the time.
//! Invariant: what is told to be wrong is told to be right again, once, also by the daemon after.

use crate::{
    name::PluginName,
    plugin::satisfies,
    spec::{PluginSpec, RouteSpec, plugin_behind},
    text::list,
    time::Monotonic,
};
use semver::Version;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// For so long a route may be without a handler before people are told: who replaces a file may remove it first.
const GRACE: Duration = Duration::from_secs(3);

/// So many routes of one handler are named.
const MOST_NAMED: usize = 5;

/// What is left without a handler, by the handler that its routes name first, each with a sentence.
pub type Gaps = BTreeMap<PluginName, String>;

/// The routes of which no handler serves. `serving` has every version of a recovery handler that does, by the name of the
/// plugin; `plugins` says of which plugin an instance is that a route names.
pub fn gaps(
    routes: &[RouteSpec],
    plugins: &BTreeMap<PluginName, PluginSpec>,
    serving: &[(PluginName, Version)],
) -> Gaps {
    let mut versions: BTreeMap<&PluginName, Vec<&Version>> = BTreeMap::new();
    for (name, version) in serving {
        versions.entry(name).or_default().push(version);
    }
    let mut left: BTreeMap<&PluginName, Vec<&RouteSpec>> = BTreeMap::new();
    for route in routes {
        let has_one = route.chain.iter().any(|step| {
            let there = versions.get(plugin_behind(plugins, &step.handler));
            let there = there.map(Vec::as_slice);
            let mut there = there.unwrap_or_default().iter();
            there.any(|version| satisfies(&step.version, version))
        });
        if let Some(first) = route.chain.first().filter(|_| !has_one) {
            left.entry(&first.handler).or_default().push(route);
        }
    }
    let sentence = |(name, routes): (&PluginName, Vec<&RouteSpec>)| (name.clone(), say(&routes));
    left.into_iter().map(sentence).collect()
}

/// What is not recovered, and what is missing for it.
fn say(routes: &[&RouteSpec]) -> String {
    let mut named: Vec<String> = Vec::new();
    let mut handlers = BTreeSet::new();
    for route in routes {
        if named.len() < MOST_NAMED {
            named.push(what_it_is_for(route));
        }
        let steps = route.chain.iter();
        handlers.extend(steps.map(|step| format!("{} {}", step.handler, step.version)));
    }
    let more = routes.len() - named.len();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    let routes = match routes.len() {
        1 => "the route for",
        _ => "the routes for",
    };
    let handlers = handlers.into_iter().take(MOST_NAMED);
    format!(
        "{routes} {} cannot recover anything: no handler of it serves ({})",
        list(named, "nothing"),
        list(handlers, "none is named")
    )
}

fn what_it_is_for(route: &RouteSpec) -> String {
    let failure = route.failure.as_ref();
    let failure = failure.map_or_else(|| "any failure".to_owned(), ToString::to_string);
    match &route.target {
        Some(target) => format!("{failure} of {target}"),
        None => failure,
    }
}

/// What people are to be told now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapNews {
    /// Routes that name this handler first are left without one.
    Opened {
        /// The handler.
        handler: PluginName,
        /// What is left.
        message: String,
    },
    /// Each of them has one again, or is gone.
    Closed {
        /// The handler.
        handler: PluginName,
    },
}

/// Which gaps there are, since when, and of which people were told.
#[derive(Debug, Clone, Default)]
pub struct GapWatch {
    since: BTreeMap<PluginName, Monotonic>,
    told: BTreeSet<PluginName>,
}

impl GapWatch {
    /// With what the daemon before told of, and not of its end.
    pub fn resume(told: impl IntoIterator<Item = PluginName>) -> Self {
        Self {
            since: BTreeMap::new(),
            told: told.into_iter().collect(),
        }
    }

    /// What there is now.
    pub fn observe(&mut self, gaps: &Gaps, now: Monotonic) -> Vec<GapNews> {
        self.since.retain(|handler, _| gaps.contains_key(handler));
        let mut news = Vec::new();
        for (handler, message) in gaps {
            let since = *self.since.entry(handler.clone()).or_insert(now);
            if now.since(since) >= GRACE && self.told.insert(handler.clone()) {
                news.push(GapNews::Opened {
                    handler: handler.clone(),
                    message: message.clone(),
                });
            }
        }
        let over = self
            .told
            .extract_if(.., |handler| !gaps.contains_key(handler));
        news.extend(over.map(|handler| GapNews::Closed { handler }));
        news
    }

    /// After how long there may be news though nothing changes.
    pub fn due(&self, now: Monotonic) -> Option<Duration> {
        let untold = self.since.iter();
        let untold = untold.filter(|(handler, _)| !self.told.contains(*handler));
        let left = untold.map(|(_, since)| GRACE.saturating_sub(now.since(*since)));
        left.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::{FailureType, TargetName},
        spec::{StepSpec, Strategy, Workflow},
    };
    use semver::VersionReq;

    fn name(text: &str) -> PluginName {
        PluginName::parse(text).unwrap()
    }

    /// `failure target handler requirement…`; the first two `-` where the route does not say.
    fn route(words: &str) -> RouteSpec {
        let words: Vec<&str> = words.split_whitespace().collect();
        let said = |word: &str| Some(word.to_owned()).filter(|word| word != "-");
        let steps = words[2..].chunks(2).map(|step| StepSpec {
            handler: name(step[0]),
            version: VersionReq::parse(step[1]).unwrap(),
            always: false,
            when: None,
            on_failure: None,
            pause: Duration::ZERO,
            params: serde_json::json!({}),
            timeout: Duration::from_secs(60),
        });
        RouteSpec {
            failure: said(words[0]).map(|word| FailureType::parse(&word).unwrap()),
            target: said(words[1]).map(|word| TargetName::parse(&word).unwrap()),
            severity: None,
            strategy: Strategy::Immediate { max_attempts: 1 },
            decider: None,
            cooldown: Duration::ZERO,
            relapse_window: Duration::ZERO,
            workflow: Workflow::Standard,
            simulate: false,
            chain: steps.collect(),
        }
    }

    fn serving(plugins: &[(&str, &str)]) -> Vec<(PluginName, Version)> {
        let parse =
            |(plugin, version): &(&str, &str)| (name(plugin), Version::parse(version).unwrap());
        plugins.iter().map(parse).collect()
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_route_has_a_handler_where_one_of_its_chain_serves_in_a_version_that_fits() {
        let routes = [
            route("down db fix * restart ^1"),
            route("slow - restart ^1"),
        ];
        let left = |plugins: &[(&str, &str)]| -> Vec<String> {
            let gaps = gaps(&routes, &BTreeMap::new(), &serving(plugins));
            gaps.keys().map(ToString::to_string).collect()
        };
        assert_eq!(left(&[("restart", "1.2.0")]), [""; 0]);
        assert_eq!(left(&[("fix", "1.0.0")]), ["restart"]);
        assert_eq!(left(&[("restart", "2.0.0")]), ["fix", "restart"]);
        assert_eq!(left(&[]), ["fix", "restart"]);
    }

    #[test]
    fn an_instance_serves_where_its_plugin_does() {
        let routes = [route("down - fix-web ^1")];
        let instance = PluginSpec {
            plugin: Some(name("fix")),
            ..PluginSpec::default()
        };
        let plugins = BTreeMap::from([(name("fix-web"), instance)]);
        let left = |serves: &[(&str, &str)]| gaps(&routes, &plugins, &serving(serves)).len();
        assert_eq!(left(&[("fix", "1.0.0")]), 0);
        assert_eq!(left(&[("fix", "2.0.0")]), 1);
        assert_eq!(left(&[("fix-web", "1.0.0")]), 1, "it is another plugin");
    }

    #[test]
    fn what_is_left_is_said_with_what_is_missing() {
        let routes = [route("down db fix ^1"), route("- db fix *")];
        let gaps = gaps(&routes, &BTreeMap::new(), &[]);
        assert_eq!(
            gaps[&name("fix")],
            "the routes for down of db, any failure of db cannot recover anything: no handler of it serves (fix *, fix ^1)"
        );
        let many: Vec<RouteSpec> = (0..9).map(|n| route(&format!("f{n} - fix *"))).collect();
        let said = &super::gaps(&many, &BTreeMap::new(), &[])[&name("fix")];
        assert!(said.contains("f4, 4 more cannot"), "{said}");
    }

    #[test]
    fn people_are_told_when_it_lasts_and_when_it_is_over() {
        let gap: Gaps = [(name("fix"), "left".to_owned())].into();
        let mut watch = GapWatch::default();
        assert!(watch.observe(&gap, at(0)).is_empty());
        assert_eq!(watch.due(at(1)), Some(Duration::from_secs(2)));
        let replaced = watch.observe(&Gaps::new(), at(2));
        assert!(replaced.is_empty(), "{replaced:?}");
        assert_eq!(watch.due(at(2)), None);
        assert!(watch.observe(&gap, at(10)).is_empty());
        let opened = GapNews::Opened {
            handler: name("fix"),
            message: "left".to_owned(),
        };
        assert_eq!(watch.observe(&gap, at(13)), [opened]);
        assert!(watch.observe(&gap, at(99)).is_empty(), "once");
        assert_eq!(watch.due(at(99)), None);
        let closed = [GapNews::Closed {
            handler: name("fix"),
        }];
        assert_eq!(watch.observe(&Gaps::new(), at(100)), closed);
        // The daemon before told of it.
        let mut next = GapWatch::resume([name("fix")]);
        assert!(next.clone().observe(&gap, at(9)).is_empty());
        assert_eq!(next.observe(&Gaps::new(), at(0)), closed);
    }
}
