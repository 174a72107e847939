# %% [markdown]
# # Pick a seed
#
# A prompt leaves much open, and the seed decides it. This notebook makes one prompt with several
# seeds, measures each result, and writes the brightest one.

# %%
import numpy as np

from audiogen_core import Generator, Result

STEPS = 2
generator = Generator.load()

# %% [markdown]
# `batch_size` makes several outputs of one prompt: with `seed=10`, the seeds are 10, 11, 12 and 13.

# %%
results = list(
    generator.generate(
        "snare drum", steps=STEPS, seed=10, seconds=0.5, settings={"generation.batch_size": 4}
    )
)

# %% [markdown]
# The spectral centroid, in hertz, says how bright a sound is.


# %%
def brightness(result: Result) -> float:
    power = np.abs(np.fft.rfft(result.audio.mean(axis=0))) ** 2
    frequencies = np.fft.rfftfreq(result.audio.shape[-1], 1 / result.sample_rate)
    return float((frequencies * power).sum() / power.sum())


for result in sorted(results, key=brightness):
    print(f"seed {result.seed}: {brightness(result):.0f} Hz")

# %% [markdown]
# The seed alone is enough to make the chosen one again, in a batch of its own and with more steps.

# %%
brightest = max(results, key=brightness)
(final,) = generator.generate("snare drum", steps=STEPS + 1, seed=brightest.seed, seconds=0.5)
print(final.save("brightest snare.wav", metadata=False))
