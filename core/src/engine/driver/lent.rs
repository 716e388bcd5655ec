//! The kernels of an engine while something beside the steps builds plans: nothing else may meanwhile, and steps go on.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::Shared;
use crate::error::Error;
use crate::plan::KernelCache;

/// An engine's kernels, which go back to it in the end, however that comes.
pub(in crate::engine) struct Lent {
    shared: Rc<Shared>,
    /// There until it ends.
    kernels: Option<KernelCache>,
}

impl Lent {
    /// Takes them, once nobody else has them. Answers that are under way are moved on until then.
    ///
    /// # Errors
    /// The device's end.
    pub async fn take(shared: &Rc<Shared>) -> Result<Lent, Error> {
        let kernels = poll_fn(|context| {
            if let Some(error) = shared.with(|driver| driver.failed.clone()) {
                return Poll::Ready(Err(Error::from(error)));
            }
            let idle = shared.with(|driver| driver.background.is_none().then(|| driver.kernels.take()).flatten());
            match idle {
                Some(kernels) => Poll::Ready(Ok(kernels)),
                None => {
                    // Whoever waits is woken where that moved anything.
                    let _ = shared.drive(context);
                    Poll::Pending
                }
            }
        });
        let kernels = kernels.await?;
        Ok(Lent { shared: shared.clone(), kernels: Some(kernels) })
    }

    /// The kernels.
    pub fn kernels(&mut self) -> &mut KernelCache {
        self.kernels.as_mut().unwrap_or_else(|| unreachable!("they go back when this ends"))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.shared.with(|driver| driver.kernels = self.kernels.take());
        self.shared.wake();
    }
}
