//! The plugin's root: it is told its job by `root_id`, and takes its configuration.

use std::sync::Arc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, LogLevel};
use sluice_core::policy::{self, Plan};

use crate::host;
use crate::policy::PolicyFilter;
use crate::provider::ProviderFilter;
use crate::service::Service;

/// One plugin of the module.
#[derive(Default)]
pub struct Root {
    job: Option<Job>,
}

enum Job {
    Policy(Arc<Plan>),
    Provider,
    Service(Box<Service>),
}

impl Root {
    fn configure(size: usize) -> Result<Job, String> {
        let root_id = host::text_property(&["plugin_root_id"]).unwrap_or_default();
        match root_id.as_str() {
            "policy" => {
                let bytes = Self::configuration(size)?;
                let environment = |name: &str| std::env::var(name).ok();
                let plan = policy::load(&bytes, &environment).map_err(|faults| faults.to_string())?;
                Ok(Job::Policy(Arc::new(plan)))
            }
            "provider" => {
                match size {
                    0 => Ok(Job::Provider),
                    _ => Err("the provider filter takes no configuration: it follows the policy filter's"
                        .to_owned()),
                }
            }
            "service" => Ok(Job::Service(Box::new(Service::new(&Self::configuration(size)?)?))),
            other => Err(format!("there is no root_id `{other}`; use `policy`, `provider` or `service`")),
        }
    }

    fn configuration(size: usize) -> Result<Vec<u8>, String> {
        host::buffer(BufferType::PluginConfiguration, 0, size)
            .map_err(|host::Refused(status)| format!("the configuration can't be read (status {status})"))
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, call: u32, _: usize, size: usize, _: usize) {
        if let Some(Job::Service(service)) = &mut self.job {
            service.answered(call, size);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        match Self::configure(size) {
            Ok(job) => {
                self.job = Some(job);
                true
            }
            Err(faults) => {
                for fault in faults.lines() {
                    host::log(LogLevel::Error, fault);
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(Job::Service(service)) = &mut self.job {
            service.tick();
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        match &self.job {
            Some(Job::Policy(plan)) => Some(Box::new(PolicyFilter::new(Arc::clone(plan)))),
            Some(Job::Provider) => Some(Box::<ProviderFilter>::default()),
            Some(Job::Service(_)) | None => None,
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
