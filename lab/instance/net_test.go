package instance

import (
	"sync"
	"testing"

	"github.com/meshstorm/meshstorm/lab/kubelet"
	"github.com/meshstorm/meshstorm/lab/loopback"
)

func TestLabsThatStartTogetherGetDifferentNets(t *testing.T) {
	const labs = 6
	nets := make([]loopback.Net, labs)
	begin := make(chan struct{})
	var wait sync.WaitGroup
	for i := range labs {
		wait.Go(func() {
			<-begin
			n, claim, err := chooseNet()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = claim.Close() })
			nets[i] = n
		})
	}
	close(begin)
	wait.Wait()
	seen := map[loopback.Net]bool{}
	for _, n := range nets {
		if seen[n] {
			t.Errorf("two labs got %+v", n)
		}
		seen[n] = true
	}
}

func TestANetIsFreeAgainWhenItsLabEnds(t *testing.T) {
	n, claim, err := chooseNet()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := claimNet(n); err == nil {
		_ = again.Close()
		t.Errorf("%+v was given twice", n)
	}
	_ = claim.Close()
	again, err := claimNet(n)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

func TestANetWhosePortsAreTakenIsNotClaimed(t *testing.T) {
	n, claim, err := chooseNet()
	if err != nil {
		t.Fatal(err)
	}
	_ = claim.Close()
	taken, err := listenNode(n, kubelet.Port)
	if err != nil {
		t.Fatal(err)
	}
	if claim, err := claimNet(n); err == nil {
		_ = claim.Close()
		t.Error("claimed a net whose port 10250 is taken")
	}
	_ = taken.Close()
	claim, err = claimNet(n)
	if err != nil {
		t.Fatalf("the failed claim was not given back: %v", err)
	}
	_ = claim.Close()
}
