package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/size"
)

// imagePresent looks for the image of the new sandbox. An image that only the gateway knows cannot be looked for; an
// image that is to be pulled need not be here yet.
func (j *job) imagePresent(ctx context.Context) error {
	if j.Image == "" || j.Way == ByNemoClaw || j.Pull != "" {
		return nil
	}
	_, err := j.Engine.ImageID(ctx, j.Image)
	return err
}

// pull brings the new image to this host, unless another sandbox's upgrade, or a run that was killed, has done so.
func (j *job) pull(ctx context.Context) error {
	_, err := j.Engine.ImageID(ctx, j.Image)
	if err == nil {
		j.tell(j.Address(), StepPulling, "the image is here by now")
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	pulled, err := j.Engine.Pull(ctx, j.Image, engine.PullOptions{Stall: j.PullStall, Progress: j.pullProgress()})
	if err != nil {
		return err
	}
	if pulled.Digest != "" && pulled.Digest != j.Pull {
		j.warn(fmt.Sprintf("the registry gave another image under %s than at planning time: %s, not %s", j.Image, pulled.Digest, j.Pull))
	}
	return nil
}

// pullSaid is the time between two lines about one pull.
const pullSaid = 5 * time.Second

func (j *job) pullProgress() func(done, total int64) {
	last := time.Now()
	return func(done, total int64) {
		if time.Since(last) < pullSaid {
			return
		}
		last = time.Now()
		j.tell(j.Address(), StepPulling, fmt.Sprintf("%s of %s so far", size.Text(done), size.Text(total)))
	}
}
