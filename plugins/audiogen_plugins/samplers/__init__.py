"""Built-in samplers."""

from audiogen_core import hookimpl
from audiogen_core.hooks import Registrar
from audiogen_core.interfaces.sampler import Sampler


@hookimpl
def audiogen_samplers(register: Registrar[Sampler]) -> None:
    """Registers the documented samplers, those of the v-objective first."""
    register("k-heun", "audiogen_plugins.samplers.k_heun:KHeun")
    register("k-lms", "audiogen_plugins.samplers.k_lms:KLMS")
    register(
        "k-dpmpp-2s-ancestral", "audiogen_plugins.samplers.k_dpmpp_2s_ancestral:KDPMPP2SAncestral"
    )
    register("k-dpm-2", "audiogen_plugins.samplers.k_dpm_2:KDPM2")
    register("k-dpm-fast", "audiogen_plugins.samplers.k_dpm_fast:KDPMFast")
    register("k-dpm-adaptive", "audiogen_plugins.samplers.k_dpm_adaptive:KDPMAdaptive")
    register("dpmpp-2m", "audiogen_plugins.samplers.dpmpp_2m:DPMPP2M")
    register("dpmpp-2m-sde", "audiogen_plugins.samplers.dpmpp_2m_sde:DPMPP2MSDE")
    register("dpmpp-3m-sde", "audiogen_plugins.samplers.dpmpp_3m_sde:DPMPP3MSDE")
    register("v-ddim", "audiogen_plugins.samplers.v_ddim:VDDIM")
    register("v-ddim-cfgpp", "audiogen_plugins.samplers.v_ddim_cfgpp:VDDIMCFGPP")
    register("euler", "audiogen_plugins.samplers.flow_euler:FlowEuler")
    register("rk4", "audiogen_plugins.samplers.flow_rk4:FlowRK4")
    register("dpmpp", "audiogen_plugins.samplers.flow_dpmpp:FlowDPMPP")
    register("pingpong", "audiogen_plugins.samplers.flow_pingpong:FlowPingPong")
